//! [client] What the mesh's status shall say, and writing it where it says something else.
//!
//! Keys and words are Function Mesh's. True means that each member works; where one does not, it is named with the reason.

use std::collections::{BTreeMap, BTreeSet};

use isthmus_dialects::function_mesh::status::{Condition, MeshStatus};
use isthmus_model::component::{ComponentKind, Object};
use isthmus_model::reason::{Reason, Violation};
use serde::Deserialize as _;

use super::super::api::{Api, Error};
use super::super::apply::Outcome;
use super::super::status::replace;
use super::super::validate::sentence;
use super::apply::Applied;
use super::dereference::{Mesh, Owner};
use super::members::{Key, Known, Standing};
use super::plan::resource_name;
use super::validate::{Member, Validated};

/// The condition that is about the whole.
const READY: &str = "MeshReady";

/// The condition of what left the mesh and is not gone yet.
const ORPHANED: &str = "Orphaned";

/// Members that the whole's words name; the others have their own.
const NAMED: usize = 5;

/// The status that the mesh shall have.
pub(crate) fn status(
    mesh: &Mesh,
    validated: &Validated,
    applied: &Applied,
    known: &BTreeMap<Key, Known>,
) -> MeshStatus {
    if !validated.violations.is_empty() {
        let condition = invalid(READY, &validated.violations);
        let observed_generation = Some(mesh.generation);
        return MeshStatus { condition: Some(condition), observed_generation, ..current(&mesh.resource) };
    }
    let mut status = MeshStatus { observed_generation: Some(mesh.generation), ..MeshStatus::default() };
    for (kind, resource) in left(&mesh.owner, validated, known) {
        let prefix = resource_name(&mesh.owner, "");
        let name = resource.strip_prefix(&prefix).unwrap_or(resource);
        let message = format!("{kind} {resource} left the mesh and is being removed");
        let condition = Condition {
            condition: ORPHANED.to_owned(),
            status: "True".to_owned(),
            action: "Delete".to_owned(),
            reason: Reason::Terminating.as_str().to_owned(),
            message,
        };
        of_kind(&mut status, kind).insert(name.to_owned(), condition);
    }
    for member in &validated.members {
        let condition = of_member(&mesh.owner, member, applied, known);
        of_kind(&mut status, member.kind).insert(member.name.clone(), condition);
    }
    status.condition = Some(whole(&mut status));
    status
}

/// The members that the status of a mesh names, by kind and name in the mesh.
pub(crate) fn named(resource: &Object) -> BTreeSet<Key> {
    let mut current = current(resource);
    let kinds = ComponentKind::ALL.into_iter();
    kinds
        .flat_map(|kind| {
            std::mem::take(of_kind(&mut current, kind)).into_keys().map(move |name| (kind, name))
        })
        .collect()
}

fn of_kind(status: &mut MeshStatus, kind: ComponentKind) -> &mut BTreeMap<String, Condition> {
    match kind {
        ComponentKind::Function => &mut status.function_conditions,
        ComponentKind::Source => &mut status.source_conditions,
        ComponentKind::Sink => &mut status.sink_conditions,
    }
}

/// Those that exist and are wanted no more.
fn left<'k>(
    mesh: &Owner,
    validated: &Validated,
    known: &'k BTreeMap<Key, Known>,
) -> impl Iterator<Item = (ComponentKind, &'k str)> {
    let wanted: BTreeSet<Key> =
        validated.members.iter().map(|member| (member.kind, resource_name(mesh, &member.name))).collect();
    known.keys().filter(move |key| !wanted.contains(*key)).map(|(kind, name)| (*kind, name.as_str()))
}

fn of_member(mesh: &Owner, member: &Member, applied: &Applied, known: &BTreeMap<Key, Known>) -> Condition {
    let kind = member.kind;
    let key = (kind, resource_name(mesh, &member.name));
    let condition = format!("{kind}Ready");
    if let Err(violations) = &member.verdict {
        return invalid(&condition, violations);
    }
    let resource = &key.1;
    match applied.outcome(&key) {
        Some(Outcome::Foreign(Some(owner))) => {
            let message = format!("{kind} {resource} belongs to {owner}; delete it, or rename this member");
            not(&condition, "Create", Reason::ForeignObject.as_str(), message)
        }
        Some(Outcome::Foreign(None)) => {
            let message =
                format!("{kind} {resource} was made by somebody else; delete it, or rename this member");
            not(&condition, "Create", Reason::ForeignObject.as_str(), message)
        }
        Some(Outcome::Refused(why)) => {
            let message = format!("the API server does not take {kind} {resource}: {why}");
            not(&condition, "Create", Reason::ApiRefused.as_str(), message)
        }
        Some(Outcome::Withheld) => {
            let message = format!("changes of {kind} {resource} are withheld while the rollout is paused");
            not(&condition, "Update", Reason::RolloutPaused.as_str(), message)
        }
        // What its status says is about what it was before.
        Some(Outcome::Created | Outcome::Updated) => starting(&condition, kind, resource),
        Some(Outcome::Unchanged) | None => match known.get(&key).map(|known| &known.standing) {
            Some(Standing::Ready) => Condition {
                condition,
                status: "True".to_owned(),
                action: "NoAction".to_owned(),
                ..Condition::default()
            },
            Some(Standing::Trouble(reason, message)) => not(&condition, "Wait", reason, message.clone()),
            Some(Standing::Starting) | None => starting(&condition, kind, resource),
        },
    }
}

fn starting(condition: &str, kind: ComponentKind, resource: &str) -> Condition {
    let message = format!("it is not ready yet; the status of {kind} {resource} says more");
    not(condition, "Wait", Reason::Starting.as_str(), message)
}

fn invalid(condition: &str, violations: &[Violation]) -> Condition {
    let reason = violations.first().map_or(Reason::InvalidField, |violation| violation.reason);
    not(condition, "NoAction", reason.as_str(), sentence(violations))
}

fn not(condition: &str, action: &str, reason: &str, message: String) -> Condition {
    Condition {
        condition: condition.to_owned(),
        status: "False".to_owned(),
        action: action.to_owned(),
        reason: reason.to_owned(),
        message,
    }
}

/// True when each member is. What a person must mend is told before what only takes its time.
fn whole(status: &mut MeshStatus) -> Condition {
    let mut wrong: Vec<(ComponentKind, &String, &Condition)> = Vec::new();
    for (kind, conditions) in [
        (ComponentKind::Function, &status.function_conditions),
        (ComponentKind::Source, &status.source_conditions),
        (ComponentKind::Sink, &status.sink_conditions),
    ] {
        let not = conditions
            .iter()
            .filter(|(_, condition)| condition.status != "True" || condition.condition == ORPHANED);
        wrong.extend(not.map(|(name, condition)| (kind, name, condition)));
    }
    wrong.sort_by_key(|(.., condition)| {
        [Reason::Starting, Reason::Terminating].iter().any(|reason| reason.as_str() == condition.reason)
    });
    let Some((.., first)) = wrong.first() else {
        return Condition {
            condition: READY.to_owned(),
            status: "True".to_owned(),
            action: "NoAction".to_owned(),
            ..Condition::default()
        };
    };
    let word = |kind: ComponentKind| kind.as_str().to_ascii_lowercase();
    let mut words: Vec<String> = wrong
        .iter()
        .take(NAMED)
        .map(|(kind, name, condition)| format!("{} {name} is not ready ({})", word(*kind), condition.reason))
        .collect();
    if let Some(more) = wrong.len().checked_sub(NAMED).filter(|more| *more > 0) {
        words.push(format!("and {more} more"));
    }
    not(READY, "Wait", &first.reason, words.join("; "))
}

fn current(resource: &Object) -> MeshStatus {
    resource.get("status").and_then(|status| MeshStatus::deserialize(status).ok()).unwrap_or_default()
}

/// Writes the status unless the mesh has it already; whether it wrote.
pub(crate) async fn write(api: &Api, mesh: &Mesh, status: &MeshStatus) -> Result<bool, Error> {
    replace(api, &mesh.place(), &mesh.owner.uid, &current(&mesh.resource), status).await
}

#[cfg(test)]
mod tests;
