//! Why a component runs where it runs, or why nowhere.

use std::fmt::Write as _;

use isthmus_proto::component::v1::{Chosen, Explanation, Refused, ScoreTerm};
use serde_json::{Value, json};

use super::lean;

/// Clusters, each on a line with its reason, then what would help.
pub(crate) fn lines(explanation: &Explanation, indent: &str) -> String {
    let Explanation { log_index: _, chosen, refused, remedies, summary: _ } = explanation;
    let mut text = String::new();
    for Chosen { cluster, replicas, pulsar_cluster, score: _, kept: _, message } in chosen {
        let _ = write!(text, "{indent}runs on {cluster}: {replicas} {}", plural(*replicas, "instance"));
        if !pulsar_cluster.is_empty() {
            let _ = write!(text, ", Pulsar {pulsar_cluster}");
        }
        if !message.is_empty() {
            let _ = write!(text, " ({message})");
        }
        text.push('\n');
    }
    if chosen.is_empty() {
        let _ = writeln!(text, "{indent}runs nowhere: it is parked until a cluster can take it");
    }
    for Refused { cluster, reason, message } in refused {
        let _ = match reason.as_str() {
            // It was not refused: it was not needed.
            "Placed" => writeln!(text, "{indent}not needed on {cluster}{}", after_colon(message)),
            reason => writeln!(text, "{indent}not on {cluster}{} [{reason}]", after_colon(message)),
        };
    }
    for remedy in remedies {
        let _ = writeln!(text, "{indent}to change that: {remedy}");
    }
    text
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn plural(count: u32, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// The same for programs.
pub(crate) fn value(explanation: &Explanation) -> Value {
    let Explanation { log_index, chosen, refused, remedies, summary } = explanation;
    let chosen = chosen.iter().map(|Chosen { cluster, replicas, pulsar_cluster, score, kept, message }| {
        let score = score.iter().map(|ScoreTerm { name, value }| (name.clone(), json!(value)));
        lean(json!({
            "cluster": cluster,
            "replicas": replicas,
            "pulsarCluster": pulsar_cluster,
            "score": score.collect::<serde_json::Map<_, _>>(),
            "kept": kept,
            "message": message,
        }))
    });
    let refused = refused.iter().map(|Refused { cluster, reason, message }| {
        lean(json!({"cluster": cluster, "reason": reason, "message": message}))
    });
    json!({
        "logIndex": log_index,
        "summary": summary,
        "chosen": chosen.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "remedies": remedies,
    })
}
