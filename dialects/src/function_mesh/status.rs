//! The status of a custom resource: Function Mesh's own members, and more to say what they leave open.
//!
//! Tools read the keys, condition names and actions of [`Status::conditions`], so those stay as Function Mesh has them. Only
//! `True` means more: the thing works, where the original says it of everything that exists.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `status` of a Function, Source or Sink.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// By what they are about: a child's kind, or `Ready` for the whole.
    pub conditions: BTreeMap<String, Condition>,
    /// Instances wanted; the scale sub-resource reads it.
    pub replicas: i32,
    /// Instances that are ready.
    pub ready_replicas: i32,
    /// The pods' label selector as text; the scale sub-resource reads it.
    pub selector: String,
    /// The generation of the resource that all of this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// One thing that holds or does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Its name: `StatefulSetReady`, `ServiceReady`, `HPAReady`, `VPAReady`, `Ready`; of a mesh see there.
    pub condition: String,
    /// `True` or `False`.
    pub status: String,
    /// What is done about it: `Create`, `Update`, `Delete`, `Wait` or `NoAction`.
    pub action: String,
    /// A reason word, where it does not hold.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The same as a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// `status` of a FunctionMesh: how each member stands, by its name in the mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshStatus {
    /// The functions; the condition is `FunctionReady`, or `Orphaned` of one that left the spec and is not gone yet.
    pub function_conditions: BTreeMap<String, Condition>,
    /// The sources; `SourceReady` or `Orphaned`.
    pub source_conditions: BTreeMap<String, Condition>,
    /// The sinks; `SinkReady` or `Orphaned`.
    pub sink_conditions: BTreeMap<String, Condition>,
    /// The whole: `MeshReady`, true when each member is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The generation of the mesh that all of this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
