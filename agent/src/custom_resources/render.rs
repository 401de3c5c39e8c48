//! From an assignment to the custom resource that stands for it; pure.
//!
//! The number of instances is the assignment's, which may be a part of what the component says. Where an autoscaler has it,
//! nothing is said of it at all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use isthmus_daemon::chain::Chain;
use isthmus_dialects::function_mesh::{API_VERSION, write};
use isthmus_model::assignment::Assignment;
use isthmus_model::component::{Component, Object};
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::reason::{Reason, Violation};
use serde_json::{Value, json};

use super::config::Config;
use super::connection::Connection;
use super::marks::{ASSIGNED, LABEL, Mark, Share, is_ours};
use super::place::place;
use super::plan::{Refusal, Run, Wanted};
use super::sealed;
use crate::operator::KINDS;
use crate::operator::difference::{APPLIED, digest};
use crate::target::Desired;

/// A custom resource to be applied. It may hold credentials, so that `Debug` does not show it.
pub(crate) struct Rendered {
    pub(crate) run: Run,
    pub(crate) connection: Connection,
    /// The whole of it.
    pub(crate) body: Object,
    /// An autoscaler has the number of instances.
    pub(crate) scaled: bool,
}

/// What is desired, as it is planned with. A panic in here refuses the one component that caused it.
pub(crate) fn wanted(share: &Share, config: &Config, desired: &Desired) -> Wanted {
    let assignment = match desired {
        Desired::Stop(removal) => return Wanted::Stop { generation: removal.generation },
        Desired::Run(assignment) => assignment,
    };
    match rendered(share, config, assignment) {
        Ok(rendered) => Wanted::Run(rendered.run),
        Err(refusal) => {
            Wanted::Refused { generation: assignment.generation, replicas: assignment.replicas, refusal }
        }
    }
}

/// The resource of an assignment, or why there can be none.
pub(crate) fn rendered(share: &Share, config: &Config, assignment: &Assignment) -> Result<Rendered, Refusal> {
    let result = catch_unwind(AssertUnwindSafe(|| render(share, config, assignment)));
    let internal = |_panic| {
        Err(Refusal { reason: Reason::Internal, message: "reading it failed inside the agent".to_owned() })
    };
    result.unwrap_or_else(internal)
}

fn render(share: &Share, config: &Config, assignment: &Assignment) -> Result<Rendered, Refusal> {
    let Assignment { uid, name, kind, generation, revision: _, replicas, pulsar, spec, sealed } = assignment;
    if !KINDS.contains(kind) {
        let message =
            format!("this agent's operator does not run {} yet; place it on another cluster", kind.plural());
        return Err(Refusal { reason: Reason::MissingCapability, message });
    }
    let mut component = isthmus_proto::convert::component::decode(spec).map_err(|error| Refusal {
        reason: Reason::Refused,
        message: format!("this agent cannot read the component: {}", Chain(&error)),
    })?;
    let key = place(config, *kind, name);
    let connection = Connection::new(&key.namespace, pulsar);
    refer(&mut component, pulsar, &connection);
    if let Some(sealed) = sealed {
        sealed::refer(&mut component.spec, &key.name, sealed);
    }
    let memory = &mut component.spec.resources;
    let least = memory.requests.memory_bytes.or(memory.limits.memory_bytes).unwrap_or(config.memory.as_u64());
    memory.requests.memory_bytes = Some(least);
    memory.limits.memory_bytes = memory.limits.memory_bytes.or(Some(least));
    let scaled = component.spec.max_replicas.is_some();
    if !scaled {
        component.spec.replicas = *replicas;
        // Without a maximum it means nothing, and a part of the instances may be fewer.
        component.spec.min_replicas = None;
    }
    let mut spec =
        write(&component).map_err(|lost| Refusal { reason: Reason::Refused, message: sentence(&lost) })?;
    if scaled {
        spec.remove("replicas");
    }
    let mut body = Object::new();
    body.insert("apiVersion".to_owned(), API_VERSION.into());
    body.insert("kind".to_owned(), kind.as_str().into());
    let mut metadata = metadata(share, &component, Mark { uid: *uid, generation: *generation });
    metadata.insert("name".to_owned(), key.name.as_ref().into());
    metadata.insert("namespace".to_owned(), key.namespace.as_ref().into());
    body.insert("metadata".to_owned(), metadata.into());
    body.insert("spec".to_owned(), spec.into());
    let digest = digest(&body);
    if let Some(Value::Object(annotations)) =
        body.get_mut("metadata").and_then(|it| it.get_mut("annotations"))
    {
        annotations.insert(APPLIED.to_owned(), digest.as_str().into());
    }
    let run = Run {
        generation: *generation,
        replicas: *replicas,
        key,
        digest: digest.into(),
        connection: connection.key.clone(),
    };
    Ok(Rendered { run, connection, body, scaled })
}

/// What the component names in the federation becomes what is there in the cluster.
fn refer(component: &mut Component, pulsar: &PulsarCluster, connection: &Connection) {
    let spec = &mut component.spec;
    if let Some(package) = &mut spec.package_service
        && (package.config.is_empty() || package.config == pulsar.name.as_str())
    {
        package.config = connection.key.name.to_string();
    }
    spec.pulsar.config = connection.key.name.to_string();
    if let Some(state) = &mut spec.state
        && state.service_url.is_empty()
    {
        state.service_url.clone_from(&pulsar.state_service_url);
    }
}

fn metadata(share: &Share, component: &Component, mark: Mark) -> Object {
    let labels = component.labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let mut labels: Object =
        labels.filter(|(key, _)| !is_ours(key)).map(|(key, value)| (key, value.into())).collect();
    labels.insert(LABEL.to_owned(), ASSIGNED.into());
    let own = component.annotations.iter().filter(|(key, _)| !is_ours(key));
    let mut annotations: Object = own.map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    let marks = share.annotations().into_iter().chain(mark.annotations());
    annotations.extend(marks.map(|(key, value)| (key, value.into())));
    let metadata = json!({"labels": labels, "annotations": annotations});
    match metadata {
        Value::Object(metadata) => metadata,
        _ => Object::new(),
    }
}

fn sentence(lost: &[Violation]) -> String {
    let each = lost.iter().map(|violation| format!("{}: {}", violation.field, violation.message));
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
pub(crate) mod tests;
