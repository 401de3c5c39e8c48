//! The state out of what an engine has stored: the newest snapshot, and the commits after it.

use std::io;

use isthmus_model::order::LogIndex;

use super::apply::apply;
use super::engine::{Engine, Error, Recovery};
use super::record;
use super::snapshot;
use super::state::State;

#[derive(Debug, Default)]
struct Recovering {
    state: State,
}

/// Loads the state. Nothing is decided again.
pub(crate) fn load(engine: &mut impl Engine) -> Result<State, Error> {
    let mut recovering = Recovering::default();
    let end = engine.load(&mut recovering)?;
    let mut state = recovering.state;
    if state.applied != end {
        return Err(damaged(format!("it should end at {end} and ends at {}", state.applied)));
    }
    state.touched.clear();
    Ok(state)
}

impl Recovery for Recovering {
    fn snapshot(&mut self, at: LogIndex, bytes: &mut dyn io::Read) -> Result<(), Error> {
        self.state = snapshot::read(bytes)
            .map_err(|error| damaged(format!("the snapshot at {at} cannot be read: {error}")))?;
        if self.state.applied == at {
            Ok(())
        } else {
            Err(damaged(format!("the snapshot at {at} says that it is one at {}", self.state.applied)))
        }
    }

    fn record(&mut self, index: LogIndex, bytes: &[u8]) -> Result<(), Error> {
        if index != self.state.applied.next() {
            return Err(damaged(format!("commit {} is followed by {index}", self.state.applied)));
        }
        let commit = record::decode(index, bytes).map_err(|error| damaged(error.to_string()))?;
        apply(&mut self.state, &commit);
        // Nobody is to be told of it yet, and it would grow with the log.
        self.state.touched.clear();
        Ok(())
    }
}

fn damaged(what: String) -> Error {
    Error::Damaged { place: "the log".to_owned(), what }
}
