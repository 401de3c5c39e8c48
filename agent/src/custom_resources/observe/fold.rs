//! From what is known of a component in the cluster to what the gateway is told; pure.

use isthmus_model::observation::{Messages, Observation, Phase};
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;

use super::component::{Component, Instance};
use super::names;
use super::resource::{Outlook, Resource, Settled};
use crate::custom_resources::place::Key;

/// What the gateway is told; `None` until the operator was seen to be done with an assignment of the component.
pub(super) fn observe(key: &Key, component: &Component, now: UnixMillis) -> Option<Observation> {
    let Resource { uid, settled, .. } = component.resource.as_ref()?;
    let Settled { generation, desired, .. } = settled.as_ref()?;
    let ready = wanted(component, *desired).filter(|(_, instance)| instance.is_ready(now)).count();
    let standing = standing(key, component, now)?;
    let counts = component.instances.values().filter_map(|instance| instance.figures.counts.as_ref());
    let messages = counts.fold(Messages::default(), |sum, counts| sum.plus(counts.messages));
    let restarts = component.instances.values().map(|instance| u64::from(instance.pod.run.restarts)).sum();
    Some(Observation {
        uid: *uid,
        generation: *generation,
        phase: standing.phase,
        desired: *desired,
        ready: u32::try_from(ready).unwrap_or(u32::MAX),
        restarts,
        reason: standing.reason,
        last_error: standing.why.or_else(|| last_error(key, component)).unwrap_or_default(),
        messages,
        observed_at: now,
    })
}

fn wanted(component: &Component, desired: u32) -> impl Iterator<Item = (u32, &Instance)> {
    component.instances.iter().filter(move |(index, _)| *index < desired)
}

struct Standing {
    phase: Phase,
    reason: Reason,
    /// What is in the way.
    why: Option<String>,
}

fn standing(key: &Key, component: &Component, now: UnixMillis) -> Option<Standing> {
    let resource = component.resource.as_ref()?;
    let Settled { desired, outlook, .. } = resource.settled.as_ref()?;
    let plain = |phase, reason| Some(Standing { phase, reason, why: None });
    if resource.deleted {
        return plain(Phase::Stopping, Reason::Pending);
    }
    if let Outlook::Hindered { reason, message } = outlook {
        let phase = match reason {
            Reason::RolloutPaused => Phase::Progressing,
            Reason::MissingReference | Reason::ForeignObject | Reason::ApiRefused => Phase::Degraded,
            _ => Phase::Refused,
        };
        return Some(Standing { phase, reason: *reason, why: Some(message.to_string()) });
    }
    let unready = || wanted(component, *desired).filter(|(_, instance)| !instance.is_ready(now));
    // The first in trouble speaks for all: mostly they have the same.
    if let Some((index, trouble)) =
        unready().find_map(|(index, instance)| Some((index, instance.pod.trouble.as_ref()?)))
    {
        let why = format!("pod {}: {}", names::pod(key, index), trouble.message);
        return Some(Standing { phase: Phase::Degraded, reason: trouble.reason, why: Some(why) });
    }
    let all_there = wanted(component, *desired).count() == usize::try_from(*desired).unwrap_or(usize::MAX);
    if *outlook == Outlook::Ready && all_there && unready().next().is_none() {
        return plain(Phase::Ready, Reason::Ready);
    }
    plain(Phase::Progressing, Reason::Starting)
}

/// Of the user's code, whichever instance has one, the lowest first; else why an instance's figures are not to be had.
fn last_error(key: &Key, component: &Component) -> Option<String> {
    let exceptions = component.instances.values().filter_map(|instance| instance.figures.counts.as_ref());
    let exception = exceptions.map(|counts| &counts.last_error).find(|error| !error.is_empty()).cloned();
    exception.or_else(|| {
        component.instances.iter().find_map(|(index, instance)| {
            let problem = instance.figures.problem.as_ref().filter(|_| instance.figures.is_silent())?;
            Some(format!("pod {} runs, and does not tell its counts: {problem}", names::pod(key, index)))
        })
    })
}

#[cfg(test)]
mod tests;
