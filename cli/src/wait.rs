//! `--wait`: watching until what was asked for has happened, with a deadline.

use std::time::Duration;

use futures::StreamExt as _;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use isthmus_model::component::ComponentKind;
use isthmus_proto::common::v1::FullName;
use isthmus_proto::component::v1::watch_response::Event;
use isthmus_proto::component::v1::{Component, Status, WatchRequest, WatchResponse};

use crate::client::{Bound, Client};
use crate::error::Error;
use crate::selection::shown;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// All instances of this revision or a later one are ready.
    Ready,
    /// Nothing of it runs any more.
    Gone,
}

/// Whom it is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: ComponentKind,
    pub(crate) name: FullName,
    pub(crate) uid: String,
    pub(crate) revision: u64,
}

impl Target {
    /// The component that a change led to.
    pub(crate) fn of(component: &Component) -> Option<Self> {
        let metadata = component.metadata.clone()?;
        let name = FullName { tenant: metadata.tenant, namespace: metadata.namespace, name: metadata.name };
        let kind = crate::view::component::kind(component)?;
        Some(Self { kind, name, uid: metadata.uid, revision: metadata.revision })
    }

    fn reference(&self) -> String {
        format!("{}/{}", self.kind.as_str().to_ascii_lowercase(), self.name.name)
    }
}

/// Watches that are open at once.
const CONCURRENT: usize = 64;

/// Before a watch that ended is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits for all of them; what did not happen in time, or cannot happen any more, is an error each.
pub(crate) async fn until(
    client: &Client,
    goal: Goal,
    targets: Vec<Target>,
    timeout: Duration,
) -> Result<(), Error> {
    let progress = MultiProgress::new();
    let waits = targets.into_iter().map(|target| {
        let bar = progress.add(spinner());
        async move {
            bar.set_message(format!("{} waiting", target.reference()));
            let mut last = String::from("nothing was seen of it yet");
            let found = tokio::time::timeout(timeout, follow(client, goal, &target, &bar, &mut last)).await;
            bar.finish_and_clear();
            found.unwrap_or_else(|_| {
                let wanted = if goal == Goal::Ready { "ready" } else { "gone" };
                let time = humantime::format_duration(timeout);
                Err(Error::TimedOut(format!("{} is not {wanted} after {time}: {last}", target.reference())))
            })
        }
    });
    let results: Vec<_> = futures::stream::iter(waits).buffer_unordered(CONCURRENT).collect().await;
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Several(errors)) }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Watches one of them, again and again if the connection breaks; the deadline is the caller's.
async fn follow(
    client: &Client,
    goal: Goal,
    target: &Target,
    bar: &ProgressBar,
    last: &mut String,
) -> Result<(), Error> {
    let doing =
        || format!("waiting for {} {}", target.kind.as_str().to_ascii_lowercase(), shown(&target.name));
    loop {
        let FullName { tenant, namespace, name } = target.name.clone();
        let request = WatchRequest {
            tenant,
            namespace,
            name,
            from_log_index: 0,
            with_status: true,
            ..WatchRequest::default()
        };
        let opened = client.components(target.kind, Bound::Stream).watch(request).await;
        let mut events = match client.answer(doing(), opened) {
            Ok(events) => events,
            Err(Error::NotReached { source, .. }) => {
                *last = format!("the gateway was not reached: {source}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut seen = false;
        loop {
            match events.message().await {
                Ok(Some(event)) => match judge(goal, target, &event, &mut seen) {
                    Verdict::Reached => return Ok(()),
                    Verdict::Impossible(why) => {
                        return Err(Error::here(format!("{} cannot become ready", target.reference()), why));
                    }
                    Verdict::Not(Some(state)) if state != *last => {
                        bar.set_message(format!("{} {state}", target.reference()));
                        if bar.is_hidden() {
                            crate::output::say(&format!("{} {state}", target.reference()));
                        }
                        *last = state;
                    }
                    Verdict::Not(_) => {}
                },
                Ok(None) => break,
                Err(status) => match client.error(doing(), status) {
                    Error::NotReached { .. } => break,
                    error => return Err(error),
                },
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What one event means for the goal.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Reached,
    Impossible(String),
    /// Not yet; how it stands, if the event says so.
    Not(Option<String>),
}

/// `seen` remembers within one watch that the component exists.
fn judge(goal: Goal, target: &Target, event: &WatchResponse, seen: &mut bool) -> Verdict {
    let component = match &event.event {
        Some(Event::Added(it) | Event::Modified(it) | Event::Status(it)) => it,
        Some(Event::Deleted(_)) if goal == Goal::Gone => return Verdict::Reached,
        Some(Event::Deleted(_)) => return Verdict::Impossible("it was deleted meanwhile".to_owned()),
        // All that exists has been sent, and it was not among it.
        Some(Event::Bookmark(_)) if !*seen && goal == Goal::Gone => return Verdict::Reached,
        Some(Event::Bookmark(_)) | None => return Verdict::Not(None),
    };
    *seen = true;
    let metadata = component.metadata.clone().unwrap_or_default();
    if goal == Goal::Gone && !target.uid.is_empty() && metadata.uid != target.uid {
        return Verdict::Reached;
    }
    let Some(status) = &component.status else { return Verdict::Not(None) };
    match goal {
        Goal::Gone => {
            let running = status.clusters.iter().filter(|share| share.phase != "Stopped");
            let clusters: Vec<_> = running.map(|share| share.cluster.as_str()).collect();
            Verdict::Not(Some(match clusters.as_slice() {
                [] => "has stopped".to_owned(),
                some => format!("still runs on {}", some.join(", ")),
            }))
        }
        Goal::Ready if metadata.revision < target.revision => Verdict::Not(None),
        Goal::Ready => ready(status),
    }
}

fn ready(status: &Status) -> Verdict {
    let current =
        |share: &&isthmus_proto::component::v1::ClusterStatus| share.observed_generation >= share.generation;
    let shares = || status.clusters.iter().filter(|share| share.phase != "Stopped" || share.desired > 0);
    if let Some(refused) = shares().filter(current).find(|share| share.phase == "Refused") {
        let why = if refused.last_error.is_empty() { &refused.reason } else { &refused.last_error };
        return Verdict::Impossible(format!("{} refuses it: {why}", refused.cluster));
    }
    if status.phase == "Ready" && status.ready >= status.desired && shares().all(|share| current(&share)) {
        return Verdict::Reached;
    }
    let trouble = shares().find(|share| !share.last_error.is_empty());
    let trouble =
        trouble.map(|share| format!(": on {}: {}", share.cluster, share.last_error)).unwrap_or_default();
    let parked = status.conditions.iter().find(|c| c.r#type == "Placed" && c.status == "False");
    let parked = parked.map(|condition| format!(": {}", condition.message)).unwrap_or_default();
    Verdict::Not(Some(format!("{} {}/{}{trouble}{parked}", status.phase, status.ready, status.desired)))
}

#[cfg(test)]
mod tests;
