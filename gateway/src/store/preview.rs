//! What would become of a write, and why a component is where it is: the same decisions, told instead of made.

use isthmus_model::order::UnixMillis;

use super::command::{Command, Write};
use super::commit::{Change, Effect};
use super::decide::{Verdict, decide};
use super::rejection::Rejection;
use super::state::{ComponentView, State};
use crate::placement::{Cache, Report, explain};

/// What would become of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What would happen to the component.
    pub change: Change,
    /// Where it would run, and why.
    pub report: Report,
}

impl State {
    /// What would become of a write if it were submitted now.
    pub fn preview(&self, time: UnixMillis, write: &Write) -> Result<Preview, Rejection> {
        let command = Command::Write(write.clone());
        let verdict = decide(self, time, None, &command, &mut Cache::default())?;
        let component = self.component(&write.name);
        let current = component.map(|component| component.currents()).unwrap_or_default();
        let (_, report) = explain(self.sites(), &write.demand, &current);
        let change = match verdict {
            Verdict::Nothing(outcome) => outcome.change,
            Verdict::Effects(effects) => effects
                .iter()
                .find_map(|effect| match effect {
                    Effect::Created => Some(Change::Created { uid: write.uid }),
                    Effect::Updated { uid, revision } => {
                        Some(Change::Updated { uid: *uid, revision: *revision })
                    }
                    _ => None,
                })
                .unwrap_or(Change::Done),
        };
        Ok(Preview { change, report })
    }
}

impl ComponentView<'_> {
    /// Why it is where it is: the planner is asked again and says what it thinks.
    pub fn explain(&self, state: &State) -> Report {
        explain(state.sites(), &self.current().demand, &self.currents()).1
    }
}
