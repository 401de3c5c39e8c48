//! Components are planned again, because something changed that may help them or drives them away.

use hashbrown::HashMap;
use isthmus_model::name::Uid;
use isthmus_model::reason::Reason;

use super::component::{share_of, usage_of};
use super::{Verdict, within_quota};
use crate::placement::{Cache, Decision, Refusals, Sites, plan};
use crate::store::commit::Effect;
use crate::store::quota::Usage;
use crate::store::state::{Component, NamespaceId, State};

/// What this command has taken already: each component is planned against what is left by those before it.
struct Pending {
    sites: Sites,
    usage: HashMap<NamespaceId, Usage>,
}

pub(super) fn replan(state: &State, uids: &[Uid], may_evict: bool, cache: &mut Cache) -> Verdict {
    let mut pending = Pending { sites: state.sites.clone(), usage: HashMap::new() };
    let effects: Vec<Effect> =
        uids.iter().filter_map(|uid| one(state, *uid, may_evict, &mut pending, cache)).collect();
    if effects.is_empty() {
        return Verdict::nothing(state);
    }
    Verdict::Effects(effects)
}

fn one(state: &State, uid: Uid, may_evict: bool, pending: &mut Pending, cache: &mut Cache) -> Option<Effect> {
    let component = state.components.get(state.components.find(uid)?)?;
    if component.terminating() {
        return None;
    }
    let demand = &component.current.demand;
    let (mut assigned, mut removed) = (Vec::new(), Vec::new());
    let mut waits;
    match plan(&pending.sites, demand, &component.currents(), cache) {
        Decision::Placed { shares, waits: more } => {
            waits = more;
            removed.extend(
                component
                    .live()
                    .map(|entry| entry.cluster)
                    .filter(|cluster| shares.iter().all(|share| share.cluster != *cluster)),
            );
            let revision = component.current.revision;
            assigned.extend(shares.iter().map(|share| share_of(share, revision)).filter(|share| {
                component.entry(share.cluster).is_none_or(|entry| {
                    entry.removed
                        || entry.revision != revision
                        || (entry.pulsar, entry.replicas, entry.reserved)
                            != (share.pulsar, share.replicas, share.reserved)
                })
            }));
            let (before, after) = (component.usage(), usage_of(demand, &shares));
            if let Err(refusals) = quota(state, component, before, after, pending) {
                waits = Some(waits.unwrap_or_default().union(refusals));
                assigned.clear();
                removed.clear();
            }
        }
        Decision::Parked { leave, refusals } => {
            removed = leave;
            waits = Some(refusals);
        }
    }
    if !removed.is_empty() && !may_evict {
        return None;
    }
    for share in &assigned {
        if let Some(entry) = component.entry(share.cluster) {
            pending.sites.release(share.cluster, entry.demand.each.times(entry.reserved));
        }
        pending.sites.reserve(share.cluster, demand.each.times(share.reserved));
    }
    let waited = component.waiting.as_ref().map(|waiting| waiting.refusals);
    let same = assigned.is_empty() && removed.is_empty() && waits == waited;
    (!same).then_some(Effect::Placed { uid, assigned, removed, waits })
}

fn quota(
    state: &State,
    component: &Component,
    before: Usage,
    after: Usage,
    pending: &mut Pending,
) -> Result<(), Refusals> {
    let Some(namespace) = state.namespaces.get(component.namespace) else { return Ok(()) };
    // What others of this command take counts against the tenant too, whichever namespace they are in: the sum over all
    // namespaces is never less than what this tenant takes.
    let others = pending.usage.values().fold(Usage::default(), |sum, usage| sum.plus(*usage));
    within_quota(state, (&namespace.tenant, &namespace.namespace), (before, after), others)
        .map_err(|_| [Reason::QuotaExceeded].into_iter().collect::<Refusals>())?;
    let more = after.minus(before);
    let taken = pending.usage.entry(component.namespace).or_default();
    *taken = taken.plus(more);
    Ok(())
}
