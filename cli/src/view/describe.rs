//! One component with all that is known of it, for people.

use std::fmt::Write as _;

use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;
use isthmus_proto::common::v1::Condition;
use isthmus_proto::component::v1::{ClusterStatus, Component, Explanation};
use serde_json::Value;

use super::component::{self, failed, mode};
use super::{age, explanation, moment, or_dash};
use crate::error::Error;
use crate::output::{Column, Record, table, yaml};
use crate::style::Style;

const SHARES: &[Column] = &[
    Column::text("CLUSTER"),
    Column::text("PULSAR"),
    Column::text("READY"),
    Column::number("RESTARTS"),
    Column::number("RECEIVED"),
    Column::number("PROCESSED"),
    Column::number("FAILED"),
    Column::text("STATUS"),
    Column::text("REASON"),
    Column::text("SEEN"),
];

const CONDITIONS: &[Column] = &[
    Column::text("TYPE"),
    Column::text("STATUS"),
    Column::text("REASON"),
    Column::text("AGE"),
    Column::text("MESSAGE"),
];

/// A component and why it runs where it runs.
pub(crate) fn component(
    component: &Component,
    why: Option<&Explanation>,
    now: UnixMillis,
    style: Style,
) -> Result<String, Error> {
    let metadata = component.metadata.clone().unwrap_or_default();
    let status = component.status.clone().unwrap_or_default();
    let value = component::value(component);
    let created = moment(metadata.create_time.as_ref());
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "{:<13}{}", format!("{name}:"), or_dash(value));
    };
    field("Name", &metadata.name);
    field("Namespace", &format!("{}/{}", metadata.tenant, metadata.namespace));
    field("Kind", value.get("kind").and_then(Value::as_str).unwrap_or_default());
    field("UID", &metadata.uid);
    field("Revision", &metadata.revision.to_string());
    let age = age(metadata.create_time.as_ref(), now);
    field("Created", &created.as_str().map(|at| format!("{at} ({age} ago)")).unwrap_or_default());
    let pairs = |pairs: &std::collections::BTreeMap<String, String>| {
        pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
    };
    field("Labels", &pairs(&metadata.labels));
    field("Annotations", &pairs(&metadata.annotations));
    field("Mode", mode(component));
    field("Status", &status.phase);
    field("Ready", &format!("{}/{}", status.ready, status.desired));
    let messages = status.messages.unwrap_or_default();
    let counts = (messages.received, messages.processed, failed(&messages));
    field("Messages", &format!("{} received, {} processed, {} failed", counts.0, counts.1, counts.2));
    if !status.clusters.is_empty() {
        let rows: Vec<_> = status.clusters.iter().map(|share| share_row(share, now)).collect();
        let _ = write!(text, "\nClusters:\n{}", indented(&table(SHARES, &rows, true, true, style)));
        text.extend(status.clusters.iter().filter_map(trouble));
    }
    if !status.conditions.is_empty() {
        let rows: Vec<_> = status.conditions.iter().map(|condition| condition_row(condition, now)).collect();
        let _ = write!(text, "\nConditions:\n{}", indented(&table(CONDITIONS, &rows, true, true, style)));
    }
    if let Some(why) = why {
        let _ = write!(text, "\nPlacement:\n{}", explanation::lines(why, "  "));
    }
    for part in ["placement", "spec"] {
        if let Some(part_value) = value.get(part) {
            let title = if part == "spec" { "Spec" } else { "Policy" };
            let _ = write!(text, "\n{title}:\n{}", indented(&yaml(part_value)?));
        }
    }
    Ok(text)
}

fn share_row(share: &ClusterStatus, now: UnixMillis) -> Record {
    let messages = share.messages.unwrap_or_default();
    let seen = (share.observed_at_unix_ms > 0)
        .then(|| isthmus_proto::convert::time::timestamp(UnixMillis(share.observed_at_unix_ms)));
    let stale = if share.stale { " (stale)" } else { "" };
    let cells = vec![
        share.cluster.clone(),
        or_dash(&share.pulsar_cluster),
        format!("{}/{}", share.ready, share.desired),
        share.restarts.to_string(),
        messages.received.to_string(),
        messages.processed.to_string(),
        failed(&messages).to_string(),
        or_dash(&share.phase),
        or_dash(&share.reason),
        age(seen.as_ref(), now) + stale,
    ];
    Record { name: share.cluster.clone(), cells, value: Value::Null }
}

/// What is wrong in one cluster, in words: what the reason means and what to do, then what was seen. Where all is well, the last
/// error alone.
fn trouble(share: &ClusterStatus) -> Option<String> {
    let ClusterStatus { cluster, phase, reason, last_error, .. } = share;
    let meaning = match phase.as_str() {
        "Degraded" | "Refused" => reason.parse().map(Reason::describe).ok(),
        _ => None,
    };
    let last_error = indented(last_error);
    match meaning {
        Some(meaning) => {
            let meaning = indented(meaning.trim_start());
            Some(format!("\nWhat is wrong on {cluster} ({reason}):\n{meaning}{last_error}"))
        }
        None if last_error.is_empty() => None,
        None => Some(format!("\nLast error on {cluster}:\n{last_error}")),
    }
}

fn condition_row(condition: &Condition, now: UnixMillis) -> Record {
    let cells = vec![
        condition.r#type.clone(),
        condition.status.clone(),
        or_dash(&condition.reason),
        age(condition.last_transition_time.as_ref(), now),
        or_dash(&condition.message),
    ];
    Record { name: condition.r#type.clone(), cells, value: Value::Null }
}

/// The text with every line two blanks further in, ending with a newline.
pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}
