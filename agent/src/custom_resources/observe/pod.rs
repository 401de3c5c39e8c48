//! One pod in a few words: whether it is ready, what it came through, and what is wrong with it, as its node and the scheduler
//! say it.

use std::net::IpAddr;

use isthmus_model::reason::Reason;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::object::{NotUsed, Object};

use crate::last_error::one_line;

/// A pod as the watch shows it: of the object that is read only what is looked at.
pub(super) type Watched = Object<Option<NotUsed>, PodStatus>;

/// What is kept of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pod {
    /// Tells its runs apart: another one when the pod is another one or its instance was started again.
    pub(super) run: Run,
    /// Where it is reached from inside the cluster.
    pub(super) address: Option<IpAddr>,
    /// Its node says that it is ready, and nobody ends it.
    pub(super) ready: bool,
    /// The instance's container runs.
    pub(super) runs: bool,
    /// What is wrong with it.
    pub(super) trouble: Option<Trouble>,
}

/// One run of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// The pod's identity.
    pub(super) uid: Box<str>,
    /// Starts of the instance's container after the first.
    pub(super) restarts: u32,
    /// When this run began, in seconds since 1970 by the node's clock.
    pub(super) since: Option<i64>,
}

/// Why a pod is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: Reason,
    /// In the words of who saw it.
    pub(super) message: Box<str>,
}

/// The container that fetches the package before the instance starts.
const DOWNLOADER: &str = "downloader";

/// What is kept of a pod whose instance runs in the container of this name.
pub(super) fn pod(container: &str, metadata: &ObjectMeta, status: &PodStatus) -> Pod {
    let main = status.container_statuses.iter().flatten().find(|status| status.name == container);
    let running = main.and_then(|status| status.state.as_ref()).and_then(|state| state.running.as_ref());
    let conditions = status.conditions.iter().flatten();
    let ready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True");
    Pod {
        run: Run {
            uid: metadata.uid.clone().unwrap_or_default().into(),
            restarts: main.and_then(|status| u32::try_from(status.restart_count).ok()).unwrap_or(0),
            since: running.and_then(|running| running.started_at.as_ref()).map(|at| at.0.as_second()),
        },
        address: status.pod_ip.as_ref().and_then(|ip| ip.parse().ok()),
        ready: ready && metadata.deletion_timestamp.is_none(),
        runs: running.is_some(),
        trouble: trouble(container, status),
    }
}

/// The first thing that is wrong, in the order in which a pod comes up.
fn trouble(container: &str, status: &PodStatus) -> Option<Trouble> {
    if status.phase.as_deref() == Some("Failed") {
        let why = status.reason.as_deref().unwrap_or("Failed");
        let reason = if why == "Evicted" { Reason::Evicted } else { Reason::StartFailed };
        return Some(now(reason, why, status.message.as_deref()));
    }
    let mut conditions = status.conditions.iter().flatten();
    if let Some(unscheduled) = conditions.find(|one| one.type_ == "PodScheduled" && one.status == "False") {
        let why = unscheduled.reason.as_deref().unwrap_or("Unschedulable");
        return Some(now(Reason::Unschedulable, why, unscheduled.message.as_deref()));
    }
    let before = status.init_container_statuses.iter().flatten().find_map(before_the_instance);
    before.or_else(|| {
        // What is wrong with the instance itself tells more than what is wrong beside it.
        let (main, beside): (Vec<_>, Vec<_>) =
            status.container_statuses.iter().flatten().partition(|status| status.name == container);
        main.into_iter().find_map(of_instance).or_else(|| beside.into_iter().find_map(beside_the_instance))
    })
}

/// A container that is to end before the instance starts.
fn before_the_instance(status: &ContainerStatus) -> Option<Trouble> {
    let state = status.state.as_ref()?;
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0);
    waits(status, state).or_else(|| ended.map(|ended| over(status, ended)))
}

fn of_instance(status: &ContainerStatus) -> Option<Trouble> {
    let state = status.state.as_ref()?;
    if state.running.is_some() {
        // Past only once it has shown that it works this time.
        return Some(over(status, status.last_state.as_ref()?.terminated.as_ref()?));
    }
    beside_the_instance(status)
}

/// A container that is to run for ever.
fn beside_the_instance(status: &ContainerStatus) -> Option<Trouble> {
    let state = status.state.as_ref()?;
    waits(status, state).or_else(|| state.terminated.as_ref().map(|ended| over(status, ended)))
}

/// Why a container is not started, where that is not the ordinary course of things.
fn waits(status: &ContainerStatus, state: &ContainerState) -> Option<Trouble> {
    let waiting = state.waiting.as_ref()?;
    let word = waiting.reason.as_deref()?;
    let reason = match word {
        "ContainerCreating" | "PodInitializing" => return None,
        "CrashLoopBackOff" => {
            let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
            return Some(match last {
                Some(last) => over(status, last),
                None => now(Reason::CrashLoopBackOff, word, waiting.message.as_deref()),
            });
        }
        // The node says in turn that it tried and that it waits.
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => Reason::ImagePullBackOff,
        "CreateContainerConfigError" => Reason::CreateContainerConfigError,
        _ => Reason::StartFailed,
    };
    Some(now(reason, word, waiting.message.as_deref()))
}

/// What the end of a container means.
fn over(status: &ContainerStatus, ended: &ContainerStateTerminated) -> Trouble {
    let word = ended.reason.as_deref().unwrap_or("Error");
    let reason = match word {
        "OOMKilled" => Reason::OOMKilled,
        _ if status.name == DOWNLOADER => Reason::PackageUnavailable,
        // Most runtimes say so of a program that cannot be executed.
        "StartError" | "ContainerCannotRun" => Reason::StartFailed,
        _ => Reason::CrashLoopBackOff,
    };
    let message = format!("container {} ended with exit code {} ({word})", status.name, ended.exit_code);
    let message = match ended.message.as_deref().map(one_line).filter(|said| !said.is_empty()) {
        Some(said) => format!("{message}: {said}"),
        None => message,
    };
    Trouble { reason, message: message.into() }
}

fn now(reason: Reason, word: &str, said: Option<&str>) -> Trouble {
    let said = said.map(one_line).filter(|said| !said.is_empty());
    let message = said.map_or_else(|| word.to_owned(), |said| format!("{word}: {said}"));
    Trouble { reason, message: message.into() }
}

#[cfg(test)]
mod tests;
