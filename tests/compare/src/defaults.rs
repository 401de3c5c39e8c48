//! What an API server, or the original's webhook, fills in: alike whether it is written or not.

use serde_json::{Map, Value, json};

/// Whether the API server would fill in this member of an object that stands under the name `of`.
pub(crate) fn is_default(of: &str, member: &str, value: &Value, beside: &Map<String, Value>) -> bool {
    let probe = matches!(of, "livenessProbe" | "readinessProbe" | "startupProbe");
    match (of, member) {
        ("ports", "protocol") => value == "TCP",
        (_, "successThreshold" | "timeoutSeconds") if probe => *value == json!(1),
        (_, "periodSeconds") if probe => *value == json!(10),
        (_, "failureThreshold") if probe => *value == json!(3),
        (_, "initialDelaySeconds") if probe => *value == json!(0),
        ("httpGet", "scheme") => value == "HTTP",
        ("fieldRef", "apiVersion") => value == "v1",
        (_, "imagePullPolicy") => {
            let image = beside.get("image").and_then(Value::as_str).unwrap_or_default();
            let tag = image.rsplit('/').next().and_then(|name| name.split_once(':'));
            let latest = tag.is_none_or(|(_, tag)| tag == "latest") && !image.contains('@');
            value == if latest { "Always" } else { "IfNotPresent" }
        }
        (_, "terminationMessagePath") => value == "/dev/termination-log",
        (_, "terminationMessagePolicy") => value == "File",
        ("spec", "dnsPolicy") => value == "ClusterFirst",
        ("spec", "restartPolicy") => value == "Always",
        ("spec", "schedulerName") => value == "default-scheduler",
        ("spec", "terminationGracePeriodSeconds") => *value == json!(30),
        // The old name of another member.
        ("spec", "serviceAccount") => beside.get("serviceAccountName") == Some(value),
        ("secret" | "configMap", "defaultMode") => *value == json!(420),
        ("spec", "revisionHistoryLimit") => *value == json!(10),
        ("updateStrategy", "type") => value == "RollingUpdate",
        ("rollingUpdate", "partition") => *value == json!(0),
        ("persistentVolumeClaimRetentionPolicy", _) => value == "Retain",
        (_, "volumeMode") => value == "Filesystem",
        // Of a claim, which the API server writes when it stores the set.
        ("volumeClaimTemplates", "apiVersion" | "kind") => true,
        ("spec", "internalTrafficPolicy") => value == "Cluster",
        ("spec", "sessionAffinity") => value == "None",
        ("spec", "ipFamilyPolicy") => value == "SingleStack",
        ("spec", "type") => value == "ClusterIP",
        _ => false,
    }
}

/// Takes out what is known only by the object as a whole.
pub(crate) fn without_defaults(object: &mut Value) {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match kind.as_str() {
        "Service" => {
            for given in ["clusterIPs", "ipFamilies"] {
                spec.shift_remove(given);
            }
        }
        "StatefulSet" => {
            let claims = spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut);
            for claim in claims.into_iter().flatten().filter_map(Value::as_object_mut) {
                claim.shift_remove("status");
            }
        }
        "HorizontalPodAutoscaler" => {
            if let Some(behavior) = spec.get_mut("behavior").and_then(Value::as_object_mut) {
                scaling(behavior);
            }
        }
        "Function" | "Source" | "Sink" => resource(&kind, spec),
        _ => {}
    }
}

/// An autoscaler's behavior is completed as soon as there is any.
fn scaling(behavior: &mut Map<String, Value>) {
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    for (direction, policies) in [("scaleUp", json!([pods, percent])), ("scaleDown", json!([percent]))] {
        let Some(rules) = behavior.get_mut(direction).and_then(Value::as_object_mut) else { continue };
        let usual = [
            ("policies", policies),
            ("selectPolicy", json!("Max")),
            // Of scaling down it is a setting of the whole cluster.
            ("stabilizationWindowSeconds", json!(if direction == "scaleUp" { 0 } else { 300 })),
        ];
        for (name, value) in usual {
            if rules.get(name) == Some(&value) {
                rules.shift_remove(name);
            }
        }
    }
}

/// What the original's webhook writes into a resource that does not say it.
fn resource(kind: &str, spec: &mut Map<String, Value>) {
    let bounded = json!({
        "maxPendingMessages": 1000,
        "maxPendingMessagesAcrossPartitions": 1000,
        "useThreadLocalProducers": true,
    });
    let usual = [
        ("autoAck", json!(true)),
        ("clusterName", json!("kubernetes")),
        ("forwardSourceMessageProperty", json!(true)),
        ("maxPendingAsyncRequests", json!(1000)),
        ("minReplicas", json!(1)),
        ("namespace", json!("default")),
        ("processingGuarantee", json!("atleast_once")),
        ("replicas", json!(1)),
        ("tenant", json!("public")),
        ("logTopicAgent", json!(if kind == "Function" { "runtime" } else { "sidecar" })),
    ];
    for (name, value) in usual {
        if spec.get(name) == Some(&value) {
            spec.shift_remove(name);
        }
    }
    for side in ["input", "output"] {
        let Some(side) = spec.get_mut(side).and_then(Value::as_object_mut) else { continue };
        for (name, value) in [("typeClassName", json!("[B")), ("producerConf", bounded.clone())] {
            if side.get(name) == Some(&value) && (name == "typeClassName" || kind == "Source") {
                side.shift_remove(name);
            }
        }
    }
}
