//! Components are written and deleted.

use std::sync::Arc;

use isthmus_model::name::FullName;
use isthmus_model::order::Revision;
use isthmus_model::reason::{Reason, Violation};
use isthmus_model::resources::Capacity;

use super::{Verdict, within_quota};
use crate::placement::{Cache, Decision, Demand, Share, plan};
use crate::store::command::{Delete, Write, WriteMode};
use crate::store::commit::{Assigned, Change, Effect, Outcome};
use crate::store::quota::Usage;
use crate::store::rejection::Rejection;
use crate::store::state::{Component, State};

pub(super) fn write(state: &State, write: &Write, cache: &mut Cache) -> Result<Verdict, Rejection> {
    let found = state.namespaces.slot(&write.name).and_then(|slot| state.components.get(slot));
    match found {
        Some(component) => update(state, write, component, cache),
        None => create(state, write, cache),
    }
}

fn create(state: &State, write: &Write, cache: &mut Cache) -> Result<Verdict, Rejection> {
    if let WriteMode::Update(_) | WriteMode::Apply(Some(_)) = write.mode {
        return Err(not_found(write.kind.as_str(), &write.name));
    }
    if state.components.find(write.uid).is_some() {
        return Err(Rejection::new(
            Reason::AlreadyExists,
            format!("the UID {} is another component's; draw a new one", write.uid),
        ));
    }
    packages(state, write)?;
    let demand = state.demands.find(&write.demand);
    let decision = plan(&state.sites, &demand, &[], cache);
    let after = match &decision {
        Decision::Placed { shares, .. } => usage_of(&demand, shares),
        Decision::Parked { .. } => usage_parked(&demand),
    };
    let scope = (&write.name.tenant, &write.name.namespace);
    within_quota(state, scope, (Usage::default(), after), Usage::default())?;
    let placed = match decision {
        Decision::Placed { shares, waits } => Effect::Placed {
            uid: write.uid,
            assigned: assigned(&shares, Revision(1)),
            removed: Vec::new(),
            waits,
        },
        Decision::Parked { refusals, .. } => Effect::Placed {
            uid: write.uid,
            assigned: Vec::new(),
            removed: Vec::new(),
            waits: Some(refusals),
        },
    };
    Ok(Verdict::Effects(vec![Effect::Created, placed]))
}

fn update(
    state: &State,
    write: &Write,
    component: &Component,
    cache: &mut Cache,
) -> Result<Verdict, Rejection> {
    if component.kind != write.kind {
        return Err(Rejection::new(
            Reason::NameTaken,
            format!(
                "{} is the name of a {} already; names are unique over functions, sources and sinks of a namespace",
                write.name,
                component.kind.as_str().to_lowercase()
            ),
        ));
    }
    if component.terminating() {
        return Err(Rejection::new(
            Reason::Terminating,
            format!(
                "{} {} is being deleted and has not stopped everywhere yet; wait until it is gone",
                write.kind, write.name
            ),
        ));
    }
    match write.mode {
        WriteMode::Create => {
            return Err(Rejection::new(
                Reason::AlreadyExists,
                format!("{} {} exists already; update it, or take another name", write.kind, write.name),
            ));
        }
        WriteMode::Update(expected) | WriteMode::Apply(expected) => fresh(&write.name, component, expected)?,
    }
    let current = &component.current;
    let same = current.spec == write.spec
        && current.demand == write.demand
        && current.details.labels == write.labels
        && current.details.packages == write.packages
        && current.details.sealed == write.sealed;
    if same {
        let change = Change::Unchanged { uid: component.uid, revision: current.revision };
        return Ok(Verdict::Nothing(Outcome { index: state.applied, change }));
    }
    packages(state, write)?;
    let uid = component.uid;
    let revision = current.revision.next();
    let demand = state.demands.find(&write.demand);
    let decision = plan(&state.sites, &demand, &component.currents(), cache);
    let before = component.usage();
    let (placed, after) = match decision {
        Decision::Placed { shares, waits } => {
            let removed = component.live().map(|entry| entry.cluster);
            let removed =
                removed.filter(|cluster| shares.iter().all(|share| share.cluster != *cluster)).collect();
            let effect = Effect::Placed { uid, assigned: assigned(&shares, revision), removed, waits };
            (effect, usage_of(&demand, &shares))
        }
        Decision::Parked { leave, refusals } => {
            let effect = Effect::Placed { uid, assigned: Vec::new(), removed: leave, waits: Some(refusals) };
            // What stays does so at its old revision and counts as before.
            (effect, usage_parked(&demand).max(before))
        }
    };
    within_quota(state, (&write.name.tenant, &write.name.namespace), (before, after), Usage::default())?;
    Ok(Verdict::Effects(vec![Effect::Updated { uid, revision }, placed]))
}

pub(super) fn delete(state: &State, delete: &Delete) -> Result<Verdict, Rejection> {
    let missing = || not_found(delete.kind.as_str(), &delete.name);
    let component = state
        .namespaces
        .slot(&delete.name)
        .and_then(|slot| state.components.get(slot))
        .filter(|component| component.kind == delete.kind)
        .filter(|component| delete.uid.is_none_or(|uid| uid == component.uid))
        .ok_or_else(missing)?;
    let uid = component.uid;
    if component.terminating() {
        let outcome = Outcome { index: state.applied, change: Change::Deleted { uid } };
        return Ok(Verdict::Nothing(outcome));
    }
    fresh(&delete.name, component, delete.revision)?;
    let mut effects = vec![Effect::Terminating { uid }];
    if component.entries.is_empty() {
        effects.push(Effect::Gone { uid, name: delete.name.clone(), kind: delete.kind });
    }
    Ok(Verdict::Effects(effects))
}

fn fresh(name: &FullName, component: &Component, expected: Option<Revision>) -> Result<(), Rejection> {
    let current = component.current.revision;
    if expected.is_none_or(|expected| expected == current) {
        return Ok(());
    }
    let given = expected.unwrap_or_default();
    Err(Rejection::new(
        Reason::StaleRevision,
        format!(
            "{} {name} is at revision {current}, not {given}; read it and repeat the change",
            component.kind
        ),
    ))
}

fn not_found(kind: &str, name: &FullName) -> Rejection {
    Rejection::new(Reason::NotFound, format!("there is no {} {name}", kind.to_lowercase()))
}

fn packages(state: &State, write: &Write) -> Result<(), Rejection> {
    let missing: Vec<_> = write.packages.iter().filter(|digest| state.package(digest).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let rejection = Rejection::new(
        Reason::PackageMissing,
        format!("{} {} needs packages that are not stored; upload them first", write.kind, write.name),
    );
    Err(missing.into_iter().fold(rejection, |rejection, digest| {
        let message = format!("the package sha256:{digest} is not stored; upload it first");
        rejection.with(
            Violation::new("package", Reason::PackageMissing, message)
                .with_value(&format!("sha256:{digest}")),
        )
    }))
}

fn assigned(shares: &[Share], revision: Revision) -> Vec<Assigned> {
    shares.iter().map(|share| share_of(share, revision)).collect()
}

pub(super) fn share_of(share: &Share, revision: Revision) -> Assigned {
    Assigned {
        cluster: share.cluster,
        pulsar: share.pulsar,
        revision,
        replicas: share.replicas,
        reserved: share.reserved,
    }
}

pub(super) fn usage_of(demand: &Demand, shares: &[Share]) -> Usage {
    let amounts =
        shares.iter().fold(Capacity::default(), |sum, share| sum.plus(demand.each.times(share.reserved)));
    Usage { components: 1, amounts }
}

pub(super) fn usage_parked(demand: &Arc<Demand>) -> Usage {
    Usage { components: 1, amounts: demand.each.times(demand.reserved()) }
}
