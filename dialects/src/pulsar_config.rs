//! Pulsar's FunctionConfig, SourceConfig and SinkConfig, as `pulsar-admin` takes them, in JSON or YAML.
//!
//! A config does not say which of the three it is: the caller does, or its fields do. An empty text counts as not given and
//! 64-bit numbers may be written as text, as Pulsar's own readers have it.

use isthmus_model::component::{ComponentKind, Draft};
use isthmus_model::name::{Namespace, Tenant};
use isthmus_model::reason::Violation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::document::Position;
use crate::shape::{Shaped, shape};
use crate::written::{Dialect, Names, Origin, Reading};

mod loose;
mod parts;
mod inputs;
mod function;
mod source;
mod sink;

/// Fields by which a config without a kind is told, the first kind of which one is given.
const TELLING: [(ComponentKind, &[&str]); 3] = [
    (
        ComponentKind::Function,
        &[
            "fqfn",
            "jar",
            "py",
            "go",
            "functionType",
            "runtime",
            "output",
            "userConfig",
            "subName",
            "windowConfig",
            "customSerdeInputs",
            "customSchemaInputs",
            "inputTypeClassName",
            "outputTypeClassName",
        ],
    ),
    (ComponentKind::Source, &["topicName", "sourceType", "batchSourceConfig"]),
    (
        ComponentKind::Sink,
        &[
            "archive",
            "sinkType",
            "sourceSubscriptionName",
            "sourceSubscriptionPosition",
            "topicToSerdeClassName",
            "topicToSchemaType",
            "topicToSchemaProperties",
            "negativeAckRedeliveryDelayMs",
            "transformFunction",
        ],
    ),
];

/// What a config is, told by its fields; a class with inputs and nothing else is a function.
pub(crate) fn kind_of(config: &Value) -> Option<ComponentKind> {
    let given = |field: &&str| config.get(*field).is_some_and(|value| !value.is_null());
    let told = TELLING.into_iter().find(|(_, fields)| fields.iter().any(given)).map(|(kind, _)| kind);
    told.or_else(|| {
        ["className", "inputs", "inputSpecs"].iter().any(given).then_some(ComponentKind::Function)
    })
}

/// A config to the draft that it stands for.
pub(crate) fn read(config: Value, kind: ComponentKind, position: Position) -> Reading {
    match kind {
        ComponentKind::Function => convert::<function::FunctionConfig>(config, position),
        ComponentKind::Source => convert::<source::SourceConfig>(config, position),
        ComponentKind::Sink => convert::<sink::SinkConfig>(config, position),
    }
}

/// What the three have in common.
trait Config: DeserializeOwned + Serialize + Default {
    /// Pulsar's names for the model's paths.
    const NAMES: &'static [(&'static str, &'static str)];

    /// The draft; what is wrong is added to the violations, and where topics were written to the names.
    fn into_draft(self, names: &mut Names, violations: &mut Vec<Violation>) -> Draft;
}

fn convert<C: Config>(config: Value, position: Position) -> Reading {
    let Shaped { value, mut violations, unknown, .. } = shape::<C>(config, "");
    let mut names =
        Names { tables: vec![parts::NAMES, C::NAMES], members: parts::MEMBERS, ..Names::default() };
    let mut draft = value.into_draft(&mut names, &mut violations);
    if draft.tenant.is_empty() {
        Tenant::DEFAULT.clone_into(&mut draft.tenant);
    }
    if draft.namespace.is_empty() {
        Namespace::DEFAULT.clone_into(&mut draft.namespace);
    }
    if draft.name.is_empty() {
        // As pulsar-admin does: the class without its package.
        let class = draft.spec.class_name.as_str();
        class.rsplit(['.', '$']).next().unwrap_or(class).clone_into(&mut draft.name);
    }
    let origin = Origin { dialect: Dialect::PulsarConfig, position, names, ..Origin::default() };
    Reading { draft, origin, violations, unknown }
}

#[cfg(test)]
mod tests;
