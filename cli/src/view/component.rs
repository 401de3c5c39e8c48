//! Functions, sources and sinks.

use isthmus_dialects::native;
use isthmus_model::component::{Component as Model, ComponentKind};
use isthmus_model::order::UnixMillis;
use isthmus_proto::common::v1::{Condition, Metadata};
use isthmus_proto::component::v1::{ClusterStatus, Component, Kind, MessageCounts, Mode, Status};
use isthmus_proto::convert::component::read_kind;
use isthmus_proto::convert::time;
use serde_json::{Value, json};

use super::{NOTHING, age, lean, moment, or_dash, rfc3339};
use crate::output::{Column, Listing, Record};

pub(crate) const COLUMNS: &[Column] = &[
    Column::text("NAMESPACE"),
    Column::text("NAME"),
    Column::text("READY"),
    Column::text("CLUSTERS"),
    Column::number("RESTARTS"),
    Column::number("RECEIVED"),
    Column::number("PROCESSED"),
    Column::number("FAILED"),
    Column::text("STATUS"),
    Column::text("AGE"),
    Column::wide("REVISION"),
    Column::wide("PULSAR"),
    Column::wide("MODE"),
    Column::wide("LAST ERROR"),
];

/// Of one kind. With several kinds on the screen the names carry theirs.
pub(crate) fn listing(components: &[Component], now: UnixMillis, with_kind: bool, single: bool) -> Listing {
    let records = components.iter().map(|component| record(component, now, with_kind)).collect();
    Listing { columns: COLUMNS, records, single }
}

/// One line.
pub(crate) fn record(component: &Component, now: UnixMillis, with_kind: bool) -> Record {
    let metadata = component.metadata.clone().unwrap_or_default();
    let status = component.status.clone().unwrap_or_default();
    let messages = status.messages.unwrap_or_default();
    let named = reference(component);
    let shares = shares(&status);
    let clusters: Vec<_> = shares.iter().map(|share| share.cluster.as_str()).collect();
    let mut pulsar: Vec<_> = shares.iter().map(|share| share.pulsar_cluster.as_str()).collect();
    pulsar.sort_unstable();
    pulsar.dedup();
    let last_error = shares.iter().map(|share| share.last_error.as_str()).find(|text| !text.is_empty());
    let cells = vec![
        format!("{}/{}", metadata.tenant, metadata.namespace),
        if with_kind { named.clone() } else { metadata.name.clone() },
        format!("{}/{}", status.ready, status.desired),
        or_dash(&several(&clusters)),
        status.restarts.to_string(),
        messages.received.to_string(),
        messages.processed.to_string(),
        failed(&messages).to_string(),
        or_dash(&status.phase),
        age(metadata.create_time.as_ref(), now),
        metadata.revision.to_string(),
        or_dash(&several(&pulsar)),
        mode(component).to_owned(),
        or_dash(&first_line(last_error.unwrap_or(""))),
    ];
    Record { name: named, cells, value: value(component) }
}

/// The clusters that have a share; one that has stopped it has none any more.
fn shares(status: &Status) -> Vec<&ClusterStatus> {
    status.clusters.iter().filter(|share| share.phase != "Stopped" || share.desired > 0).collect()
}

/// `function/greet`.
pub(crate) fn reference(component: &Component) -> String {
    let name = component.metadata.as_ref().map_or("", |metadata| metadata.name.as_str());
    format!("{}/{name}", kind_word(component))
}

/// `function`, `source` or `sink`.
pub(crate) fn kind_word(component: &Component) -> &'static str {
    match kind(component) {
        Some(ComponentKind::Function) => "function",
        Some(ComponentKind::Source) => "source",
        Some(ComponentKind::Sink) => "sink",
        None => "component",
    }
}

/// The kind, if the gateway's word for it is known here.
pub(crate) fn kind(component: &Component) -> Option<ComponentKind> {
    Kind::try_from(component.kind).ok().and_then(read_kind)
}

/// The first three, and how many more.
fn several(names: &[&str]) -> String {
    match names {
        [a, b, c, more @ ..] if !more.is_empty() => format!("{a},{b},{c},+{}", more.len()),
        few => few.join(","),
    }
}

pub(crate) fn failed(messages: &MessageCounts) -> u64 {
    messages.user_exceptions.saturating_add(messages.system_exceptions)
}

pub(crate) fn mode(component: &Component) -> &'static str {
    let mode = component.placement.as_ref().map_or(0, |placement| placement.mode);
    match Mode::try_from(mode) {
        Ok(Mode::Unspecified | Mode::Singleton) => "Singleton",
        Ok(Mode::Divided) => "Divided",
        Ok(Mode::Replicated) => "Replicated",
        Err(_) => NOTHING,
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(120).collect()
}

/// The resource as `apply` takes it back, with what the gateway adds: history and status.
pub(crate) fn value(component: &Component) -> Value {
    let metadata = component.metadata.clone().unwrap_or_default();
    let mut value = match Model::try_from(component.clone()) {
        Ok(model) => native::to_value(&model),
        // A newer gateway may send what this version cannot read; what everybody can read is shown all the same.
        Err(_) => bare(component, &metadata),
    };
    let history = json!({
        "uid": metadata.uid,
        "revision": metadata.revision,
        "createdAt": moment(metadata.create_time.as_ref()),
    });
    if let (Some(fields), Value::Object(history)) =
        (value.get_mut("metadata").and_then(Value::as_object_mut), lean(history))
    {
        fields.extend(history);
    }
    if let (Some(fields), Some(status)) = (value.as_object_mut(), &component.status) {
        fields.insert("status".to_owned(), status_value(status));
    }
    value
}

fn bare(component: &Component, metadata: &Metadata) -> Value {
    json!({
        "apiVersion": native::API_VERSION,
        "kind": kind(component).map_or("Component", ComponentKind::as_str),
        "metadata": {"tenant": metadata.tenant, "namespace": metadata.namespace, "name": metadata.name},
    })
}

fn status_value(status: &Status) -> Value {
    let Status { conditions, desired, ready, restarts, messages, clusters, phase } = status;
    json!({
        "phase": phase,
        "desired": desired,
        "ready": ready,
        "restarts": restarts,
        "messages": messages_value(messages.as_ref()),
        "clusters": clusters.iter().map(share_value).collect::<Vec<_>>(),
        "conditions": conditions.iter().map(condition_value).collect::<Vec<_>>(),
    })
}

fn messages_value(messages: Option<&MessageCounts>) -> Value {
    let MessageCounts { received, processed, user_exceptions, system_exceptions } =
        messages.copied().unwrap_or_default();
    json!({
        "received": received,
        "processed": processed,
        "userExceptions": user_exceptions,
        "systemExceptions": system_exceptions,
    })
}

fn share_value(share: &ClusterStatus) -> Value {
    let ClusterStatus {
        cluster,
        pulsar_cluster,
        generation,
        observed_generation,
        desired,
        ready,
        restarts,
        reason,
        last_error,
        messages,
        observed_at_unix_ms,
        stale,
        phase,
    } = share;
    lean(json!({
        "cluster": cluster,
        "pulsarCluster": pulsar_cluster,
        "phase": phase,
        "reason": reason,
        "desired": desired,
        "ready": ready,
        "restarts": restarts,
        "lastError": last_error,
        "messages": messages_value(messages.as_ref()),
        "generation": generation,
        "observedGeneration": observed_generation,
        "observedAt": (*observed_at_unix_ms > 0).then(|| rfc3339(UnixMillis(*observed_at_unix_ms))).flatten(),
        "stale": stale,
    }))
}

fn condition_value(condition: &Condition) -> Value {
    let Condition { r#type, status, reason, message, observed_revision, last_transition_time } = condition;
    let changed = last_transition_time.as_ref().and_then(|at| rfc3339(time::unix_millis(at)));
    lean(json!({
        "type": r#type,
        "status": status,
        "reason": reason,
        "message": message,
        "observedRevision": observed_revision,
        "lastTransitionTime": changed,
    }))
}
