//! Effects change the state. No choice is made here: recovery runs the same code on what was logged.

mod component;
mod cluster;
mod resource;

pub(crate) use cluster::see;

use super::command::Command;
use super::commit::{Commit, Effect};
use super::state::State;

/// Applies a commit, the one directly behind what the state includes.
pub(crate) fn apply(state: &mut State, commit: &Commit) {
    state.applied = commit.index;
    state.epoch = commit.epoch;
    state.time = commit.time;
    if let Command::Replan { uids, may_evict } = &commit.command {
        // Before the effects, because what these give back may wake the same ones again.
        state.settle(uids, *may_evict);
    }
    for effect in &commit.effects {
        match (effect, &commit.command) {
            (Effect::Created, Command::Write(write)) => component::create(state, commit, write),
            (Effect::Updated { uid, revision }, Command::Write(write)) => {
                component::update(state, commit, write, *uid, *revision);
            }
            (Effect::Terminating { uid }, _) => component::terminate(state, commit, *uid),
            (Effect::Placed { uid, assigned, removed, waits }, _) => {
                component::place(state, commit, *uid, assigned, removed, *waits);
            }
            (Effect::Stopped { uid, cluster }, _) => component::stopped(state, commit, *uid, *cluster),
            (Effect::Gone { uid, .. }, _) => component::gone(state, *uid),
            (Effect::ClusterJoined { id }, Command::Cluster { name, change }) => {
                cluster::joined(state, commit, *id, name, change);
            }
            (Effect::ClusterChanged, Command::Cluster { name, change }) => {
                cluster::changed(state, commit, name, change);
            }
            (Effect::ResourceChanged, Command::Resource(change)) => resource::changed(state, commit, change),
            (Effect::PulsarClusterCreated { id }, Command::Resource(change)) => {
                resource::pulsar_created(state, *id, change);
            }
            // An effect that does not follow from its command cannot be decided, and a record that says so is refused
            // before it comes here; nothing is known of what it would mean.
            (
                Effect::Created
                | Effect::Updated { .. }
                | Effect::ClusterJoined { .. }
                | Effect::ClusterChanged
                | Effect::ResourceChanged
                | Effect::PulsarClusterCreated { .. },
                _,
            ) => {}
        }
    }
    if let Some(request) = commit.request {
        state.requests.insert(request, commit.outcome());
    }
}
