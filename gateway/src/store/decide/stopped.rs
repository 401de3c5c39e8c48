//! A cluster says that removals were carried out.

use hashbrown::HashSet;
use isthmus_model::assignment::Removal;
use isthmus_model::name::ClusterName;
use isthmus_model::reason::Reason;

use super::Verdict;
use crate::store::commit::Effect;
use crate::store::rejection::Rejection;
use crate::store::state::{ComponentView, State};

pub(super) fn stopped(
    state: &State,
    cluster: &ClusterName,
    stopped: &[Removal],
) -> Result<Verdict, Rejection> {
    let Some(id) = state.sites.named(cluster).map(|site| site.id) else {
        return Err(Rejection::new(Reason::NotFound, format!("there is no cluster {cluster}")));
    };
    let mut effects = Vec::new();
    let mut seen = HashSet::with_capacity(stopped.len());
    for removal in stopped {
        let component = state.components.find(removal.uid).and_then(|slot| state.components.get(slot));
        let Some(component) = component else { continue };
        let Some(entry) = component.entry(id) else { continue };
        // An older generation speaks of an earlier stay there: it may have been assigned again and removed again since.
        if !entry.removed || removal.generation < entry.generation || !seen.insert(removal.uid) {
            continue;
        }
        effects.push(Effect::Stopped { uid: removal.uid, cluster: id });
        if component.terminating() && component.entries.len() == 1 {
            effects.extend(state.component_by_uid(removal.uid).map(ComponentView::gone));
        }
    }
    Ok(if effects.is_empty() { Verdict::nothing(state) } else { Verdict::Effects(effects) })
}
