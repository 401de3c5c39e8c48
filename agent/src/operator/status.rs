//! [client] What the resource's status shall say, and writing it where it says something else.
//!
//! Keys and words are Function Mesh's, which tools read; only `True` means that the thing works, and what is not so says why.

use isthmus_dialects::function_mesh::status::{Condition, Status};
use isthmus_model::component::Object;
use isthmus_model::reason::Reason;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use super::api::{Api, Error, Place};
use super::apply::{Applied, Outcome, identified};
use super::build::{names, resources};
use super::child::{ChildKind, custom_resource};
use super::children::Known;
use super::dereference::Dereferenced;
use super::owner::Owner;
use super::validate;

/// The condition that is about the whole.
const READY: &str = "Ready";

/// What a status is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outlook<'a> {
    /// The resource is not valid: its children stay as they are.
    Invalid(&'a validate::Error),
    /// The children were applied.
    Applied { applied: &'a Applied, replicas: u32, stateful_set: Option<&'a Known> },
}

/// The status that the resource shall have.
pub(crate) fn status(dereferenced: &Dereferenced, outlook: Outlook<'_>) -> Status {
    let current = current(&dereferenced.resource);
    match outlook {
        Outlook::Invalid(error) => invalid(dereferenced, current, error),
        Outlook::Applied { applied, replicas, stateful_set } => {
            of_children(dereferenced, applied, resources::replicas(replicas), stateful_set)
        }
    }
}

/// Of the children nothing new is known.
fn invalid(dereferenced: &Dereferenced, current: Status, error: &validate::Error) -> Status {
    let reason = error.violations.first().map_or(Reason::InvalidField, |violation| violation.reason);
    let mut status = Status { observed_generation: Some(dereferenced.generation), ..current };
    status.conditions.insert(READY.to_owned(), not(READY, "NoAction", reason, error.to_string()));
    status
}

fn of_children(
    dereferenced: &Dereferenced,
    applied: &Applied,
    replicas: i32,
    stateful_set: Option<&Known>,
) -> Status {
    let owner = &dereferenced.owner;
    let ready = stateful_set.map_or(0, |known| known.ready);
    let mut status = Status {
        replicas,
        ready_replicas: ready,
        selector: selector(owner),
        observed_generation: Some(dereferenced.generation),
        ..Status::default()
    };
    let mut whole: Option<Condition> = None;
    for (kind, name, outcome) in applied.outcomes() {
        let Some(condition) = condition_name(kind) else {
            // A Secret is no condition of Function Mesh; what is wrong with it is wrong with the whole.
            whole = whole.or_else(|| trouble(READY, kind, name, outcome));
            continue;
        };
        let mut of_child = trouble(condition, kind, name, outcome);
        if kind == ChildKind::StatefulSet && of_child.is_none() {
            of_child = waiting(condition, replicas, stateful_set, dereferenced);
        }
        if let Some(of_child) = &of_child {
            whole = whole.or_else(|| Some(Condition { condition: READY.to_owned(), ..of_child.clone() }));
        }
        status.conditions.insert(kind.as_str().to_owned(), of_child.unwrap_or_else(|| holds(condition)));
    }
    status.conditions.insert(READY.to_owned(), whole.unwrap_or_else(|| holds(READY)));
    status
}

/// Why a child is not as it should be, if so.
fn trouble(condition: &str, kind: ChildKind, name: &str, outcome: &Outcome) -> Option<Condition> {
    let kind = kind.as_str();
    match outcome {
        Outcome::Unchanged | Outcome::Created | Outcome::Updated => None,
        Outcome::Withheld => {
            let message = format!("changes of {kind} {name} are withheld while the rollout is paused");
            Some(not(condition, "Update", Reason::RolloutPaused, message))
        }
        Outcome::Foreign(Some(owner)) => {
            let message = format!("{kind} {name} belongs to {owner}; delete it, or rename this resource");
            Some(not(condition, "Create", Reason::ForeignObject, message))
        }
        Outcome::Foreign(None) => {
            let message =
                format!("{kind} {name} was made by somebody else; delete it, or rename this resource");
            Some(not(condition, "Create", Reason::ForeignObject, message))
        }
        Outcome::Refused(why) => {
            let message = format!("the API server does not take {kind} {name}: {why}");
            Some(not(condition, "Create", Reason::ApiRefused, message))
        }
    }
}

/// Why the pods are not all there and new, if so.
fn waiting(
    condition: &str,
    replicas: i32,
    stateful_set: Option<&Known>,
    dereferenced: &Dereferenced,
) -> Option<Condition> {
    let (ready, updated, current) =
        stateful_set.map_or((0, 0, false), |known| (known.ready, known.updated, known.current));
    if current && ready >= replicas && updated >= replicas {
        return None;
    }
    Some(if let Some(config_map) = &dereferenced.missing {
        let message = format!(
            "ConfigMap {config_map}, which has Pulsar's addresses, does not exist in namespace {}",
            dereferenced.owner.namespace
        );
        not(condition, "Wait", Reason::MissingReference, message)
    } else {
        let message = format!("{ready} of {replicas} pods are ready, and {updated} are up to date");
        not(condition, "Wait", Reason::Starting, message)
    })
}

fn holds(condition: &str) -> Condition {
    Condition {
        condition: condition.to_owned(),
        status: "True".to_owned(),
        action: "NoAction".to_owned(),
        ..Condition::default()
    }
}

fn not(condition: &str, action: &str, reason: Reason, message: String) -> Condition {
    Condition {
        condition: condition.to_owned(),
        status: "False".to_owned(),
        action: action.to_owned(),
        reason: reason.as_str().to_owned(),
        message,
    }
}

/// Function Mesh's names.
fn condition_name(kind: ChildKind) -> Option<&'static str> {
    match kind {
        ChildKind::Secret => None,
        ChildKind::Service => Some("ServiceReady"),
        ChildKind::StatefulSet => Some("StatefulSetReady"),
        ChildKind::HorizontalPodAutoscaler => Some("HPAReady"),
        ChildKind::VerticalPodAutoscaler => Some("VPAReady"),
    }
}

fn selector(owner: &Owner) -> String {
    let labels = names::labels(owner).into_iter().map(|(key, value)| format!("{key}={value}"));
    labels.collect::<Vec<_>>().join(",")
}

fn current(resource: &Object) -> Status {
    resource.get("status").and_then(|status| Status::deserialize(status).ok()).unwrap_or_default()
}

/// The generation that the resource's children were last applied for.
pub(crate) fn observed_generation(resource: &Object) -> Option<i64> {
    current(resource).observed_generation
}

/// Writes the status unless the resource has it already; whether it wrote.
pub(crate) async fn write(api: &Api, dereferenced: &Dereferenced, status: &Status) -> Result<bool, Error> {
    let Owner { kind, namespace, name, uid } = &dereferenced.owner;
    let place = Place { resource: custom_resource(*kind), namespace: namespace.clone(), name: name.clone() };
    replace(api, &place, uid, &current(&dereferenced.resource), status).await
}

/// Writes the status of a resource unless it is so already; whether it wrote.
pub(crate) async fn replace<S: Serialize + PartialEq>(
    api: &Api,
    place: &Place,
    uid: &str,
    current: &S,
    status: &S,
) -> Result<bool, Error> {
    if status == current {
        return Ok(false);
    }
    let mut body = identified(place, uid);
    // Texts and numbers are JSON without fail.
    body.insert("status".to_owned(), serde_json::to_value(status).unwrap_or(Value::Null));
    match api.apply_status(place, &body).await {
        Ok(_) => Ok(true),
        // It went meanwhile.
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
