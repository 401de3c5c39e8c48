//! What may pass: a draft becomes a component, or everything that is wrong with it is said at once.
//!
//! ```text
//! Draft ▶ metadata ▶ code ▶ input ▶ output ▶ delivery ▶ scale ▶ access ▶ sealed ▶ pod ▶ placement ▶ Component
//! ```
//!
//! Pure: what has to be known from outside arrives as [`Facts`]. Paths in violations are the model's, `spec.input.topics[…]`;
//! for what was read from a text they are the author's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use isthmus_dialects::{Position, Problem, Written, path};
use isthmus_model::component::{Component, Draft};
use isthmus_model::name::{Digest, FullName};
use isthmus_model::reason::{Reason, Violation};
use isthmus_model::sealed::SealedSecrets;

mod report;
mod metadata;
mod code;
mod topic;
mod input;
mod output;
mod delivery;
mod scale;
mod access;
mod sealed;
mod pod;
mod placement;

use report::Report;

/// What admission has to know about the world.
pub trait Facts {
    /// Whether the gateway stores the package of this digest.
    fn stores(&self, package: &Digest) -> bool;
    /// The name of the file that such a package was uploaded from; empty when nobody knows.
    fn file(&self, package: &Digest) -> String;
    /// The secrets that came sealed with this component.
    fn sealed(&self, _component: &FullName) -> Option<Arc<SealedSecrets>> {
        None
    }
    /// The secrets that came sealed with the component that it replaces. Asked for only where some are needed and none came.
    fn kept(&self, _component: &FullName) -> Option<Arc<SealedSecrets>> {
        None
    }
}

/// Facts of who checks without a gateway at hand: every package is taken to be stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Facts for Offline {
    fn stores(&self, _: &Digest) -> bool {
        true
    }

    fn file(&self, _: &Digest) -> String {
        String::new()
    }
}

/// Everything that is wrong with a draft, ordered by field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Rejection {
    /// At least one.
    pub violations: Vec<Violation>,
}

impl Rejection {
    /// Sorted, each once, so that the same draft is always refused in the same words.
    fn new(mut violations: Vec<Violation>) -> Self {
        violations.sort_by(|a, b| (&a.field, a.reason, &a.message).cmp(&(&b.field, b.reason, &b.message)));
        violations.dedup();
        // What was given and cannot be read is not missing.
        let unfit = |field: &str| {
            let mut same = violations.iter().filter(|other| other.field == field);
            same.any(|other| other.reason == Reason::InvalidField)
        };
        let missing =
            |violation: &Violation| violation.reason == Reason::MissingField && unfit(&violation.field);
        let spare: Vec<bool> = violations.iter().map(missing).collect();
        let mut spare = spare.into_iter();
        violations.retain(|_| !spare.next().unwrap_or(false));
        Self { violations }
    }

    fn sentence(&self) -> String {
        let each = |violation: &Violation| match violation.field.as_str() {
            "" => violation.message.clone(),
            field => format!("{field}: {}", violation.message),
        };
        self.violations.iter().map(each).collect::<Vec<_>>().join("; ")
    }
}

/// Admits a draft that came over the wire, or says all that is wrong with it.
pub fn admit(draft: Draft, facts: &impl Facts) -> Result<Component, Rejection> {
    check(draft, facts).map_err(Rejection::new)
}

/// Admits a draft that was read from a text: what its dialect found wrong with it counts, too, and the paths are those of
/// the text.
pub fn admit_written(written: Written, facts: &impl Facts) -> Result<Component, Rejection> {
    let (draft, origin, problems) = written.into_parts();
    let mut violations: Vec<Violation> = problems.into_iter().map(|problem| problem.violation).collect();
    match check(draft, facts) {
        Ok(component) if violations.is_empty() => Ok(component),
        Ok(_) => Err(Rejection::new(violations)),
        Err(found) => {
            let found = found.into_iter().map(|mut violation| {
                violation.field = origin.dialect_path(&violation.field);
                violation
            });
            // What a dialect could not read it left out: what is missing because of that is not news.
            let known = violations.clone();
            violations.extend(found.filter(|found| !known.iter().any(|known| explains(known, found))));
            Err(Rejection::new(violations))
        }
    }
}

/// Admits what was read from one text: all of it, or everything that is wrong with any of it.
///
/// Two components of one name are wrong: the later one would take the place of the earlier one, which nobody means.
pub fn admit_all(
    drafts: Vec<Written>,
    facts: &impl Facts,
) -> Result<Vec<(Position, Component)>, Vec<Problem>> {
    let mut admitted = Vec::with_capacity(drafts.len());
    let mut names = BTreeSet::new();
    let mut problems = Vec::new();
    for written in drafts {
        let origin = written.origin();
        let (position, name_field) = (origin.position(), origin.dialect_path("metadata.name"));
        let problem = |violation| Problem { position, violation };
        match admit_written(written, facts) {
            Ok(component) => {
                if !names.insert(component.name.clone()) {
                    let message = "another component of this text has this name; give one of them another";
                    let violation = Violation::new(name_field, Reason::ConflictingFields, message);
                    problems.push(problem(violation.with_value(&format!("\"{}\"", component.name))));
                }
                admitted.push((position, component));
            }
            Err(rejection) => problems.extend(rejection.violations.into_iter().map(problem)),
        }
    }
    if problems.is_empty() { Ok(admitted) } else { Err(problems) }
}

/// Whether what a dialect found wrong is why admission found something else: it left out what it could not read, so that this
/// is missing, or has the value of what is not written.
fn explains(known: &Violation, found: &Violation) -> bool {
    match path::below(&found.field, &known.field) {
        Some("") => {
            found.reason == Reason::MissingField
                || known.reason == Reason::InvalidField && found.value != known.value
        }
        Some(_) => true,
        // A part of it could not be read, and so the whole is not there.
        None => {
            found.reason == Reason::MissingField
                && known.reason == Reason::InvalidField
                && path::below(&known.field, &found.field).is_some()
        }
    }
}

fn check(draft: Draft, facts: &impl Facts) -> Result<Component, Vec<Violation>> {
    let mut report = Report::default();
    let Draft { kind, tenant, namespace, name, labels, annotations, placement, mut spec } = draft;
    let name = metadata::name(&tenant, &namespace, &name, &mut report);
    let labels = metadata::labels(labels, &mut report);
    metadata::annotations(&annotations, &mut report);
    code::check(kind, &mut spec, facts, &mut report);
    input::check(kind, &spec, &mut report);
    output::check(kind, &spec, &mut report);
    delivery::check(kind, &spec, &mut report);
    scale::check(&spec, &mut report);
    access::check(&spec, &mut report);
    sealed::check(name.as_ref(), &spec, facts, &mut report);
    pod::check(&spec, &mut report);
    placement::check(&placement, spec.replicas, &mut report);
    let violations = report.into_violations();
    match name {
        Some(name) if violations.is_empty() => {
            Ok(Component { kind, name, labels, annotations, placement, spec })
        }
        _ => Err(violations),
    }
}

#[cfg(test)]
mod tests;
