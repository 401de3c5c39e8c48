//! Clusters.

use std::collections::BTreeMap;

use isthmus_model::order::UnixMillis;
use isthmus_model::sealed::{SealingKey, SealingKeyId};
use isthmus_proto::cluster::v1::{Capacity, Cluster, Health, Link, Taint};
use isthmus_proto::component::v1::TaintEffect;
use serde_json::{Value, json};

use super::{age, bytes, lean, moment, or_dash};
use crate::output::{Column, Listing, Record};

pub(crate) const COLUMNS: &[Column] = &[
    Column::text("NAME"),
    Column::text("STATUS"),
    Column::text("PULSAR"),
    Column::number("ASSIGNMENTS"),
    Column::text("INSTANCES"),
    Column::text("LABELS"),
    Column::text("TAINTS"),
    Column::text("SEEN"),
    Column::text("AGE"),
    Column::wide("RUNTIMES"),
    Column::wide("CPU"),
    Column::wide("MEMORY"),
    Column::wide("SET"),
    Column::wide("AGENT"),
];

/// All of them.
pub(crate) fn listing(clusters: &[Cluster], now: UnixMillis, single: bool) -> Listing {
    Listing {
        columns: COLUMNS,
        records: clusters.iter().map(|cluster| record(cluster, now)).collect(),
        single,
    }
}

/// One line.
pub(crate) fn record(cluster: &Cluster, now: UnixMillis) -> Record {
    let total = cluster.capacity.unwrap_or_default();
    let used = cluster.reserved.unwrap_or_default();
    // The default is marked where there is a choice.
    let mark = |link: &Link| match link.pulsar_cluster.as_str() {
        name if name == cluster.default_pulsar_cluster && cluster.links.len() > 1 => format!("{name}*"),
        name => name.to_owned(),
    };
    let links = cluster.links.iter().map(mark);
    let share = |used: u64, total: u64, show: fn(u64) -> String| match total {
        u64::MAX => show(used),
        _ => format!("{}/{}", show(used), show(total)),
    };
    let set = match cluster.acknowledged_set_generation {
        Some(acknowledged) if acknowledged == cluster.set_generation => acknowledged.to_string(),
        Some(acknowledged) => format!("{acknowledged}/{}", cluster.set_generation),
        None => format!("?/{}", cluster.set_generation),
    };
    let cells = vec![
        cluster.name.clone(),
        status(cluster),
        or_dash(&links.collect::<Vec<_>>().join(",")),
        cluster.assignments.to_string(),
        share(used.instances, total.instances, |count| count.to_string()),
        or_dash(&labels(&cluster.labels)),
        or_dash(&cluster.taints.iter().map(taint).collect::<Vec<_>>().join(",")),
        seen(cluster, now),
        age(cluster.join_time.as_ref(), now),
        or_dash(&cluster.capabilities.join(",")),
        share(used.cpu_millis, total.cpu_millis, |millis| format!("{millis}m")),
        share(used.memory_bytes, total.memory_bytes, bytes),
        set,
        or_dash(&cluster.agent_version),
    ];
    Record { name: format!("cluster/{}", cluster.name), cells, value: value(cluster) }
}

/// How long ago it was heard of. After a restart of the gateway only when its health changed is known: it was silent before.
fn seen(cluster: &Cluster, now: UnixMillis) -> String {
    let healthy = cluster.health == i32::from(Health::Healthy);
    match (&cluster.last_seen_time, &cluster.health_time) {
        (None, Some(turned)) if !healthy => format!(">{}", age(Some(turned), now)),
        (last, _) => age(last.as_ref(), now),
    }
}

/// One word, and what an operator should know beside it.
fn status(cluster: &Cluster) -> String {
    let mut words = vec![health(cluster).to_owned()];
    if cluster.cordoned {
        words.push("Cordoned".to_owned());
    }
    if cluster.held_removals > 0 {
        words.push(format!("DeletionsHeld({})", cluster.held_removals));
    }
    words.join(",")
}

fn health(cluster: &Cluster) -> &'static str {
    match Health::try_from(cluster.health) {
        Ok(Health::Healthy) => "Healthy",
        Ok(Health::Suspect) => "Suspect",
        Ok(Health::Disconnected) => "Disconnected",
        Ok(Health::Unspecified) | Err(_) => "Unknown",
    }
}

pub(crate) fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

fn taint(taint: &Taint) -> String {
    let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
    format!("{}{value}:{}", taint.key, effect(taint.effect))
}

fn effect(number: i32) -> &'static str {
    match TaintEffect::try_from(number) {
        Ok(TaintEffect::NoPlace) => "NoPlace",
        Ok(TaintEffect::PreferNoPlace) => "PreferNoPlace",
        Ok(TaintEffect::Evict) => "Evict",
        Ok(TaintEffect::Unspecified) | Err(_) => "Unknown",
    }
}

fn value(cluster: &Cluster) -> Value {
    let Cluster {
        name,
        labels,
        taints,
        cordoned,
        links,
        default_pulsar_cluster,
        agent_version,
        capabilities,
        capacity,
        reserved,
        health: _,
        join_time,
        last_seen_time,
        assignments,
        set_generation,
        acknowledged_set_generation,
        health_time,
        held_removals,
        held_digest: _,
        log_index,
        sealing_key,
    } = cluster;
    let taints: Vec<_> = taints
        .iter()
        .map(|taint| lean(json!({"key": taint.key, "value": taint.value, "effect": effect(taint.effect)})))
        .collect();
    let links: Vec<_> = links
        .iter()
        .map(|Link { pulsar_cluster, service_url, admin_url }| {
            lean(json!({"pulsarCluster": pulsar_cluster, "serviceUrl": service_url, "adminUrl": admin_url}))
        })
        .collect();
    json!({
        "apiVersion": isthmus_dialects::native::API_VERSION,
        "kind": "Cluster",
        "metadata": lean(json!({"name": name, "labels": labels, "joinedAt": moment(join_time.as_ref())})),
        "spec": lean(json!({
            "taints": taints,
            "cordoned": cordoned,
            "links": links,
            "defaultPulsarCluster": default_pulsar_cluster,
        })),
        "status": lean(json!({
            "health": health(cluster),
            "healthSince": moment(health_time.as_ref()),
            "lastSeenAt": moment(last_seen_time.as_ref()),
            "lastSeen": last_seen_time.is_none().then_some("not since the gateway started"),
            "agentVersion": agent_version,
            "capabilities": capabilities,
            "capacity": capacity_value(capacity.as_ref()),
            "reserved": capacity_value(reserved.as_ref()),
            "assignments": assignments,
            "setGeneration": set_generation,
            "acknowledgedSetGeneration": acknowledged_set_generation,
            "heldRemovals": held_removals,
            "sealingKey": sealing_key.as_ref().map(|key| json!({
                "id": SealingKeyId::from_slice(&key.id).ok(),
                "publicKey": SealingKey::from_slice(&key.public_key).ok(),
            })),
            "logIndex": log_index,
        })),
    })
}

/// Amounts; what has no bound is left out.
fn capacity_value(capacity: Option<&Capacity>) -> Value {
    let bounded = |amount: u64| (amount != u64::MAX).then_some(amount);
    capacity.map_or(Value::Null, |Capacity { cpu_millis, memory_bytes, instances }| {
        lean(json!({
            "cpuMillis": bounded(*cpu_millis),
            "memoryBytes": bounded(*memory_bytes),
            "instances": bounded(*instances),
        }))
    })
}
