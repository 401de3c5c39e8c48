//! What was done to a component, or with a dry run would be.

use std::fmt::Write as _;

use isthmus_model::name::{Namespace, Tenant};
use isthmus_proto::component::v1::{Change, ChangeResponse, Component, FieldChange};

use super::{component, explanation};

/// `function/greet created`.
pub(crate) fn line(change: &ChangeResponse, dry_run: bool) -> String {
    let named = change.component.as_ref().map_or_else(|| "component".to_owned(), qualified);
    let word = match (Change::try_from(change.change), dry_run) {
        (Ok(Change::Created), false) => "created",
        (Ok(Change::Updated), false) => "configured",
        (Ok(Change::Unchanged), _) => "unchanged",
        (Ok(Change::Deleted), false) => "deleted",
        (Ok(Change::Created), true) => "would be created",
        (Ok(Change::Updated), true) => "would be changed",
        (Ok(Change::Deleted), true) => "would be deleted",
        (Ok(Change::Unspecified) | Err(_), _) => "done",
    };
    format!("{named} {word}\n")
}

/// What would change and where it would run.
pub(crate) fn plan(change: &ChangeResponse) -> String {
    let mut text = line(change, true);
    // Of what is new every field is new: the file says it better.
    let is_new = change.change == i32::from(Change::Created);
    for FieldChange { field, before, after } in change.changes.iter().filter(|_| !is_new) {
        let _ = match (before.is_empty(), after.is_empty()) {
            (true, _) => writeln!(text, "  + {field}: {after}"),
            (false, true) => writeln!(text, "  - {field}: {before}"),
            (false, false) => writeln!(text, "  ~ {field}: {before} -> {after}"),
        };
    }
    if let Some(found) = &change.explanation {
        text.push_str(&explanation::lines(found, "  "));
    }
    text
}

/// `function/greet`, with the namespace where it is not the default one.
fn qualified(component: &Component) -> String {
    let metadata = component.metadata.clone().unwrap_or_default();
    match (metadata.tenant.as_str(), metadata.namespace.as_str()) {
        (Tenant::DEFAULT, Namespace::DEFAULT) => component::reference(component),
        (tenant, namespace) => {
            format!("{}/{tenant}/{namespace}/{}", component::kind_word(component), metadata.name)
        }
    }
}
