//! What the API server refuses by itself, with no agent at hand: the common errors that a schema can say, as rules in CEL.
//!
//! Each of them is a rule of admission, too, so that nothing is refused here that would run. The API server leaves alone what
//! an update does not change: a status can be written, and a finalizer removed, of what was there before the rules.

use isthmus_model::component::ComponentKind;
use serde_json::{Map, Value, json};

/// Members of each kind that a mesh may have: more than fit into what the API server takes in one piece.
pub(super) const MAX_MEMBERS: usize = 8192;
/// Topics that are compared with the output, and how long their names may be, so that the cost has a bound.
const MAX_TOPICS: usize = 8192;
const MAX_TOPIC: usize = 2048;

/// One rule. Its message says what to do; the API server puts the field before it.
struct Rule {
    field: &'static str,
    missing: bool,
    /// In CEL, of the spec as `self`.
    holds: &'static str,
    message: &'static str,
}

const fn required(field: &'static str, holds: &'static str, message: &'static str) -> Rule {
    Rule { field, missing: true, holds, message }
}

const fn conflict(field: &'static str, holds: &'static str, message: &'static str) -> Rule {
    Rule { field, missing: false, holds, message }
}

const EVERY_KIND: &[Rule] = &[
    required(
        ".className",
        "!has(self.java) || has(self.className) && self.className != ''",
        "the class must be given",
    ),
    required(
        ".resources",
        "has(self.resources) && has(self.resources.requests) && 'memory' in self.resources.requests \
         && has(self.resources.limits) && 'memory' in self.resources.limits",
        "requests.memory and limits.memory must be given",
    ),
    required(
        ".pulsar",
        "has(self.pulsar) && has(self.pulsar.pulsarConfig) && self.pulsar.pulsarConfig != ''",
        "pulsarConfig must name a ConfigMap that exists in the cluster",
    ),
    conflict(
        ".maxReplicas",
        "!has(self.maxReplicas) || (has(self.replicas) ? self.replicas : 1) <= self.maxReplicas",
        "it must be at least replicas; raise it, or lower replicas",
    ),
    conflict(
        ".minReplicas",
        "!has(self.maxReplicas) || !has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
        "it must be at most maxReplicas; lower it, or raise maxReplicas",
    ),
];

const RUNTIME_OF_A_FUNCTION: Rule = required(
    ".java",
    "[has(self.java), has(self.python), has(self.golang), has(self.genericRuntime)].exists_one(given, given)",
    "exactly one of java, python, golang and genericRuntime must be given",
);

const RUNTIME_OF_A_CONNECTOR: Rule = required(
    ".java",
    "has(self.java) && !has(self.python) && !has(self.golang) && !has(self.genericRuntime)",
    "java must be given, and no other runtime: connectors run on Java only",
);

macro_rules! topics {
    () => {
        "has(self.input) && (has(self.input.topics) && self.input.topics.size() > 0 \
         || has(self.input.topicPattern) && self.input.topicPattern != '' \
         || has(self.input.sourceSpecs) && self.input.sourceSpecs.size() > 0 \
         || has(self.input.customSerdeSources) && self.input.customSerdeSources.size() > 0 \
         || has(self.input.customSchemaSources) && self.input.customSchemaSources.size() > 0)"
    };
}

const NO_TOPIC: &str = "at least one topic must be given, in topics, topicPattern or sourceSpecs";

const ONE_ORDER: Rule = conflict(
    ".retainKeyOrdering",
    "!(has(self.retainOrdering) && self.retainOrdering && has(self.retainKeyOrdering) && self.retainKeyOrdering)",
    "only one of retainOrdering and retainKeyOrdering can be set; remove one of them",
);

const ORDER_BY_KEY: Rule = conflict(
    ".retainKeyOrdering",
    "!(has(self.retainKeyOrdering) && self.retainKeyOrdering \
     && has(self.processingGuarantee) && self.processingGuarantee == 'effectively_once')",
    "effectively once needs one consumer at a time, which order by key does not give; remove it, or choose another guarantee",
);

const FUNCTION: &[Rule] = &[
    RUNTIME_OF_A_FUNCTION,
    required(".input", concat!("has(self.sourceConfig) || ", topics!()), NO_TOPIC),
    ONE_ORDER,
    ORDER_BY_KEY,
];

const SOURCE: &[Rule] = &[
    RUNTIME_OF_A_CONNECTOR,
    required(
        ".sourceConfig",
        "has(self.sourceConfig)",
        "the connector's configuration must be given; write {} if it needs none",
    ),
    required(
        ".output",
        "has(self.output) && has(self.output.topic) && self.output.topic != ''",
        "topic must be given: a source needs one to write to",
    ),
];

const SINK: &[Rule] = &[
    RUNTIME_OF_A_CONNECTOR,
    required(
        ".sinkConfig",
        "has(self.sinkConfig)",
        "the connector's configuration must be given; write {} if it needs none",
    ),
    required(".input", topics!(), NO_TOPIC),
    ONE_ORDER,
    ORDER_BY_KEY,
];

/// Compares every topic with another, which would cost too much in a mesh of many members.
const NO_CIRCLE: Rule = conflict(
    ".output.topic",
    "!has(self.output) || !has(self.output.topic) || !has(self.input) || !has(self.input.topics) \
     || self.output.topic == '' || !(self.output.topic in self.input.topics)",
    "it is an input topic, too, so that every message would come back for ever; write to another topic",
);

const NAME_OF_A_MEMBER: Rule =
    required(".name", "has(self.name) && self.name != ''", "a component of a FunctionMesh must have a name");

/// Into the spec of a resource of its own.
pub(super) fn alone(kind: ComponentKind, spec: &mut Value) {
    let mut rules: Vec<&Rule> = of(kind).collect();
    if kind == ComponentKind::Function {
        rules.push(&NO_CIRCLE);
        bound(spec, "/properties/input/properties/topics", "maxItems", MAX_TOPICS);
        bound(spec, "/properties/input/properties/topics/items", "maxLength", MAX_TOPIC);
        bound(spec, "/properties/output/properties/topic", "maxLength", MAX_TOPIC);
    }
    put(rules.into_iter(), spec);
}

/// Into the spec of a member of a mesh.
pub(super) fn member(kind: ComponentKind, spec: &mut Value) {
    put(of(kind).chain([&NAME_OF_A_MEMBER]), spec);
}

fn of(kind: ComponentKind) -> impl Iterator<Item = &'static Rule> {
    let own = match kind {
        ComponentKind::Function => FUNCTION,
        ComponentKind::Source => SOURCE,
        ComponentKind::Sink => SINK,
    };
    own.iter().chain(EVERY_KIND)
}

fn put<'r>(rules: impl Iterator<Item = &'r Rule>, spec: &mut Value) {
    let rules = rules.map(|Rule { field, missing, holds, message }| {
        let reason = if *missing { "FieldValueRequired" } else { "FieldValueInvalid" };
        json!({"fieldPath": field, "reason": reason, "rule": holds, "message": message})
    });
    let rules: Value = rules.collect();
    if let Some(spec) = spec.as_object_mut() {
        spec.insert("x-kubernetes-validations".to_owned(), rules);
    }
}

fn bound(spec: &mut Value, at: &str, name: &str, most: usize) {
    let schema: Option<&mut Map<String, Value>> = spec.pointer_mut(at).and_then(Value::as_object_mut);
    if let Some(schema) = schema {
        schema.insert(name.to_owned(), most.into());
    }
}
