//! Text to drafts: which dialect each document is in, and what becomes of fields that it does not know.

use isthmus_model::component::ComponentKind;
use isthmus_model::reason::{Reason, Violation};
use serde_json::{Value, json};

use crate::document::{self, Document, Position, Problem};
use crate::function_mesh;
use crate::native;
use crate::pulsar_config;
use crate::written::{Dialect, Reading, Written};

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
        match form_of(&value, options) {
            Ok(Form::Native(kind)) => one(native::read(value, kind, position), options, &mut read),
            Ok(Form::FunctionMesh(kind)) => match function_mesh::read(value, kind, position) {
                Ok(readings) => readings.into_iter().for_each(|reading| one(reading, options, &mut read)),
                Err(violations) => {
                    problems.extend(violations.into_iter().map(|violation| Problem { position, violation }));
                }
            },
            Ok(Form::PulsarConfig(kind)) => {
                one(pulsar_config::read(value, kind, position), options, &mut read);
            }
            Err(violation) => problems.push(Problem { position, violation }),
        }
    }
    if read.drafts.is_empty() && problems.is_empty() {
        let violation = Violation::new("", Reason::MalformedDocument, "the text holds no document");
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
