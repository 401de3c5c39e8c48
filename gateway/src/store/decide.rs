//! What becomes of a command: pure, synchronous and total. Placement is decided here, in the same step.

mod component;
mod replan;
mod stopped;
mod cluster;
mod resource;

use isthmus_model::name::{Namespace, Tenant};
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;

use super::command::Command;
use super::commit::{Change, Effect, Outcome, Request};
use super::quota::{Quota, Usage};
use super::rejection::Rejection;
use super::state::State;
use crate::placement::Cache;

/// What becomes of a command that is not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These effects are to be logged and applied.
    Effects(Vec<Effect>),
    /// There is nothing to log: it was done before, or all is as it should be.
    Nothing(Outcome),
}

/// Decides a command against the state. `cache` saves work and changes no decision.
pub fn decide(
    state: &State,
    time: UnixMillis,
    request: Option<&Request>,
    command: &Command,
    cache: &mut Cache,
) -> Result<Verdict, Rejection> {
    if let Some(known) = request.and_then(|request| state.requests.find(request)) {
        return known.map(Verdict::Nothing).map_err(|()| {
            Rejection::new(
                Reason::RequestIdReused,
                "this request id was used before with another content; take a new id for every new request",
            )
        });
    }
    match command {
        Command::Write(write) => component::write(state, write, cache),
        Command::Delete(delete) => component::delete(state, delete),
        Command::Stopped { cluster, stopped } => stopped::stopped(state, cluster, stopped),
        Command::Replan { uids, may_evict } => Ok(replan::replan(state, uids, *may_evict, cache)),
        Command::Cluster { name, change } => cluster::change(state, time, name, change),
        Command::Resource(change) => resource::change(state, change),
    }
}

impl Verdict {
    fn nothing(state: &State) -> Self {
        Self::Nothing(Outcome { index: state.applied, change: Change::Nothing })
    }
}

/// Whether a component's contribution may become `after`, where it is `before` now and `pending` others are decided, too.
fn within_quota(
    state: &State,
    (tenant, namespace): (&Tenant, &Namespace),
    (before, after): (Usage, Usage),
    pending: Usage,
) -> Result<(), Rejection> {
    let check = |scope: &str, name: String, used: Usage, quota: Option<Quota>| {
        let used = used.plus(pending);
        let wanted = used.minus(before).plus(after);
        let Some((what, bound, wanted)) = quota.and_then(|quota| quota.exceeded(used, wanted)) else {
            return Ok(());
        };
        Err(Rejection::new(
            Reason::QuotaExceeded,
            format!(
                "the quota of {scope} {name} allows {bound} {what} and this would make it {wanted}; delete something, ask \
                 for less, or have the quota raised"
            ),
        ))
    };
    if let Some(entry) = state.namespaces.tenant(tenant) {
        check("tenant", tenant.to_string(), entry.usage, entry.quota)?;
        if let Some(entry) = entry.namespaces.get(namespace).and_then(|id| state.namespaces.get(*id)) {
            check("namespace", format!("{tenant}/{namespace}"), entry.usage, entry.quota)?;
        }
    }
    Ok(())
}
