//! Text to drafts: which dialect each document is in, and what becomes of fields that it does not know.

use isthmus_model::component::ComponentKind;
use isthmus_model::reason::{Reason, Violation};
use serde_json::{Value, json};

use crate::document::{self, Document, Position, Problem};
use crate::function_mesh;
use crate::native;
use crate::path;
use crate::pulsar_config;
use crate::written::{Dialect, Reading, Written, join};

/// What becomes of fields that a dialect does not know; `--validate` of the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// The document is refused.
    #[default]
    Error,
    /// They are named in [`Read::warnings`].
    Warn,
    /// Nothing, as Pulsar's own API does.
    Ignore,
}

/// How a text is read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The only dialect to take; `None` takes any, told apart by `apiVersion` and `kind`.
    pub dialect: Option<Dialect>,
    /// What a document is that does not say it itself, as Pulsar's configs never do; `None` tells it by its fields.
    pub kind: Option<ComponentKind>,
    /// What becomes of fields that the dialect does not know.
    pub unknown_fields: UnknownFields,
    /// Greatest size of the text in bytes.
    pub max_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { dialect: None, kind: None, unknown_fields: UnknownFields::Error, max_bytes: 1 << 20 }
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// The drafts, in the order of the text; a FunctionMesh makes several of one document.
    pub drafts: Vec<Written>,
    /// What the author should know although it hinders nothing.
    pub warnings: Vec<Problem>,
}

/// Reads every document of `text`.
///
/// What is wrong inside a document travels with its draft, so that admission can add to it; `Err` is for texts and documents
/// of which nothing could be made at all.
pub fn read(text: &[u8], options: &Options) -> Result<Read, Vec<Problem>> {
    let documents = document::parse(text, options.max_bytes).map_err(|problem| vec![problem])?;
    let mut read = Read::default();
    let mut problems = Vec::new();
    for Document { position, value } in documents {
        let mut wrong = Vec::new();
        for (at, value) in resources(value, &mut wrong) {
            match readings(value, position, options) {
                Ok(readings) => {
                    for reading in readings {
                        one(reading.within(at.clone()), options, &mut read);
                    }
                }
                Err(violations) => wrong.extend(
                    violations
                        .into_iter()
                        .map(|violation| Violation { field: join(&at, &violation.field), ..violation }),
                ),
            }
        }
        problems.extend(wrong.into_iter().map(|violation| Problem { position, violation }));
    }
    if read.drafts.is_empty() && problems.is_empty() {
        let violation = Violation::new("", Reason::MalformedDocument, "the text holds no component");
        problems.push(Problem { position: Position::default(), violation });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    locate(text, &mut read);
    Ok(read)
}

/// Reads one custom resource, as an API server hands it over.
///
/// # Errors
/// It is no Function, Source or Sink of Function Mesh.
pub fn read_resource(resource: Value, options: &Options) -> Result<Written, Vec<Violation>> {
    let options = Options { dialect: Some(Dialect::FunctionMesh), ..*options };
    let mut read = Read::default();
    let form = form_of(&resource, &options).map_err(|violation| vec![violation])?;
    if let Form::FunctionMesh(kind @ function_mesh::Kind::Component(_)) = form {
        let readings = function_mesh::read(resource, kind, Position::default())?;
        for reading in readings {
            one(reading, &options, &mut read);
        }
    }
    read.drafts.pop().ok_or_else(|| {
        let message = "this kind stands for no single component; it must be Function, Source or Sink";
        vec![Violation::new("kind", Reason::InvalidField, message)]
    })
}

/// Reads the members of one FunctionMesh, as an API server hands it over: its functions, then its sources, then its sinks, each
/// in the order of its list.
///
/// # Errors
/// A list of members is no list, or there is no member.
pub fn read_mesh(resource: Value, options: &Options) -> Result<Vec<Written>, Vec<Violation>> {
    let mut read = Read::default();
    let readings = function_mesh::read(resource, function_mesh::Kind::FunctionMesh, Position::default())?;
    for reading in readings {
        one(reading, options, &mut read);
    }
    Ok(read.drafts)
}

/// The resources of a document, each with the path at which it stands: the document itself, or the items of a `List` as
/// `kubectl get -o yaml` prints it, however deep.
fn resources(document: Value, wrong: &mut Vec<Violation>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), document)];
    while let Some((at, mut value)) = left.pop() {
        if !is_list(&value) {
            found.push((at, value));
            continue;
        }
        let field = path::field(&at, "items");
        match value.as_object_mut().and_then(|fields| fields.shift_remove("items")) {
            None | Some(Value::Null) => {}
            Some(Value::Array(items)) => {
                let items = items.into_iter().enumerate().rev();
                left.extend(items.map(|(index, item)| (path::index(&field, index), item)));
            }
            Some(other) => {
                let violation = Violation::new(field, Reason::InvalidField, "it must be a list of resources");
                wrong.push(violation.with_value(&other.to_string()));
            }
        }
    }
    found
}

/// Kubernetes' own list, ours, or the list of one kind of Function Mesh's resources.
fn is_list(value: &Value) -> bool {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let Some(of) = text("kind").and_then(|kind| kind.strip_suffix("List")) else { return false };
    match text("apiVersion") {
        Some("v1" | native::API_VERSION) => of.is_empty(),
        Some(function_mesh::API_VERSION) => of.is_empty() || function_mesh::Kind::of(of).is_ok(),
        _ => false,
    }
}

/// What the dialect of a resource makes of it.
fn readings(value: Value, position: Position, options: &Options) -> Result<Vec<Reading>, Vec<Violation>> {
    match form_of(&value, options).map_err(|violation| vec![violation])? {
        Form::Native(kind) => Ok(vec![native::read(value, kind, position)]),
        Form::FunctionMesh(kind) => function_mesh::read(value, kind, position),
        Form::PulsarConfig(kind) => Ok(vec![pulsar_config::read(value, kind, position)]),
    }
}

fn one(reading: Reading, options: &Options, read: &mut Read) {
    let Reading { draft, origin, violations, unknown } = reading;
    let position = origin.position;
    let problem = |violation| Problem { position, violation };
    let mut problems: Vec<Problem> = violations.into_iter().map(problem).collect();
    let unknown = unknown.into_iter().map(|field| {
        let message = "this field is not known here; check its spelling and its place";
        problem(Violation::new(field, Reason::UnknownField, message))
    });
    match options.unknown_fields {
        UnknownFields::Error => problems.extend(unknown),
        UnknownFields::Warn => read.warnings.extend(unknown),
        UnknownFields::Ignore => {}
    }
    read.drafts.push(Written { draft, origin, problems });
}

/// Says on which line each problem is; only a text that has some is read for that a second time.
fn locate(text: &[u8], read: &mut Read) {
    let Read { drafts, warnings } = read;
    let mut problems = drafts.iter_mut().flat_map(|written| &mut written.problems).chain(warnings).peekable();
    if problems.peek().is_none() {
        return;
    }
    let lines = document::Lines::of(text);
    for Problem { position, violation } in problems {
        position.line = lines.line(position.document, &violation.field).unwrap_or(position.line);
    }
}

/// What a document is.
enum Form {
    Native(ComponentKind),
    FunctionMesh(function_mesh::Kind),
    PulsarConfig(ComponentKind),
}

fn form_of(document: &Value, options: &Options) -> Result<Form, Violation> {
    let Value::Object(fields) = document else {
        let message = "a document must be an object with fields, not a list or a single value";
        return Err(Violation::new("", Reason::MalformedDocument, message).with_value(&document.to_string()));
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let kind = text("kind").unwrap_or("");
    let (dialect, form) = match text("apiVersion") {
        Some(native::API_VERSION) => (Dialect::Native, component_kind(kind).map(Form::Native)),
        Some(function_mesh::API_VERSION) => {
            (Dialect::FunctionMesh, function_mesh::Kind::of(kind).map(Form::FunctionMesh))
        }
        None if !fields.contains_key("apiVersion") && !fields.contains_key("kind") => {
            let kind = options.kind.or_else(|| pulsar_config::kind_of(document));
            (Dialect::PulsarConfig, kind.map(Form::PulsarConfig).ok_or_else(unknown_form))
        }
        other => {
            let known = [native::API_VERSION, function_mesh::API_VERSION].join(" or ");
            let message = format!("this apiVersion is not known here; it must be {known}");
            return Err(Violation::new("apiVersion", Reason::InvalidField, message)
                .with_value(&json!(other).to_string()));
        }
    };
    if options.dialect.is_some_and(|expected| expected != dialect) {
        let message = format!("the document is {}, which is not taken here", describe(dialect));
        return Err(Violation::new("apiVersion", Reason::InvalidField, message));
    }
    form
}

fn unknown_form() -> Violation {
    let message = "the document has neither apiVersion and kind nor fields of a FunctionConfig, SourceConfig or SinkConfig";
    Violation::new("", Reason::MalformedDocument, message)
}

fn describe(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Native => "a resource of isthmus.io",
        Dialect::FunctionMesh => "a resource of Function Mesh",
        Dialect::PulsarConfig => "one of Pulsar's configs",
    }
}

fn component_kind(kind: &str) -> Result<ComponentKind, Violation> {
    ComponentKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(|| {
        let message = "this kind is not known here; it must be Function, Source or Sink";
        Violation::new("kind", Reason::InvalidField, message).with_value(&json!(kind).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
apiVersion: v1
kind: List
items:
- apiVersion: isthmus.io/v1
  kind: Function
  metadata: {name: a}
  spec:
    className: a.A
- apiVersion: v1
  kind: List
  items:
  - apiVersion: isthmus.io/v1
    kind: Function
    metadata: {name: b}
    spec:
      className: b.B
      colour: red
- apiVersion: isthmus.io/v1
  kind: Sink
  metadata: {name: c}
---
apiVersion: isthmus.io/v1
kind: Source
metadata: {name: d}
";

    #[test]
    fn the_items_of_a_list_are_read_in_their_order_and_their_faults_have_their_places() {
        let read = read(LIST.as_bytes(), &Options::default()).unwrap();
        let names: Vec<&str> = read.drafts.iter().map(|written| written.draft.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        let [a, b, ..] = read.drafts.as_slice() else { unreachable!("there are four") };
        assert_eq!(a.origin.dialect_path("spec.className"), "items[0].spec.className");
        let [Problem { position, violation }] = b.problems.as_slice() else { unreachable!("one is wrong") };
        assert_eq!(violation.field, "items[1].items[0].spec.colour");
        assert_eq!((position.document, position.line), (1, 17));
    }

    #[test]
    fn a_list_without_components_and_one_that_is_none_are_refused() {
        let refused = |text: &str| {
            let problems = read(text.as_bytes(), &Options::default()).unwrap_err();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(refused("{apiVersion: v1, kind: List, items: []}"), "input: the text holds no component");
        assert!(refused("{apiVersion: v1, kind: List, items: 7}").contains("items: it must be a list"));
        let pod = "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod}]}";
        assert!(
            refused(pod).contains("items[0].apiVersion: this apiVersion is not known"),
            "{}",
            refused(pod)
        );
        assert!(refused("{apiVersion: v1, kind: PodList, items: []}").contains("apiVersion"));
    }
}
