use super::*;
use crate::read::{Options, UnknownFields};

fn read(text: &str) -> crate::Read {
    crate::read(text.as_bytes(), &Options::default()).unwrap()
}

#[test]
fn what_is_not_written_has_its_default() {
    let read = read("apiVersion: isthmus.io/v1\nkind: Sink\nmetadata: {name: x}\n");
    let draft = read.drafts[0].draft();
    assert_eq!(
        (draft.kind, draft.tenant.as_str(), draft.namespace.as_str()),
        (ComponentKind::Sink, "public", "default")
    );
    let spec = &draft.spec;
    assert!(spec.auto_ack && spec.forward_source_message_property && spec.replicas == 1);
}

#[test]
fn a_field_that_is_not_known_is_named_even_inside_an_enum() {
    let text = "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {name: x, uid: u}\nstatus: {ready: 1}\nspec:\n  runtime: {type: java, package: {file: a, jar: b}}\n  replica: 2\n";
    let fields = |read: &crate::Read| -> Vec<String> {
        read.drafts[0].clone().into_draft().unwrap_err().into_iter().map(|p| p.violation.field).collect()
    };
    assert_eq!(fields(&read(text)), ["spec.runtime.package.jar", "spec.replica"]);
    let options = Options { unknown_fields: UnknownFields::Warn, ..Options::default() };
    let warned = crate::read(text.as_bytes(), &options).unwrap();
    let lines: Vec<_> = warned.warnings.iter().map(|warning| warning.position.line).collect();
    assert_eq!(lines, [6, 7]);
    assert!(warned.drafts[0].clone().into_draft().is_ok());
}
