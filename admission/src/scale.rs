//! How many, and how large.

use isthmus_dialects::quantity::Quantity;
use isthmus_model::component::Spec;
use isthmus_model::resources::Amounts;

use crate::input::MAX_COUNT;
use crate::report::Report;

pub(crate) fn check(spec: &Spec, report: &mut Report) {
    replicas(spec, report);
    let (requests, limits) = (&spec.resources.requests, &spec.resources.limits);
    // A limit of no cpu at all means none, as in Function Mesh.
    let cpu_limit = limits.cpu_millis.filter(|limit| *limit != 0);
    for (name, request, limit) in [
        ("cpuMillis", requests.cpu_millis, cpu_limit),
        ("memoryBytes", requests.memory_bytes, limits.memory_bytes),
        ("storageBytes", requests.storage_bytes, limits.storage_bytes),
    ] {
        if let (Some(request), Some(limit)) = (request, limit)
            && request > limit
        {
            let message = format!("the request must be at most the limit, which is {limit}");
            report.conflict(format!("spec.resources.requests.{name}"), message, &request);
        }
    }
    for (field, amounts) in [("requests", requests), ("limits", limits)] {
        others(field, amounts, report);
    }
}

fn replicas(spec: &Spec, report: &mut Report) {
    let Spec { replicas, min_replicas, max_replicas, .. } = spec;
    if *replicas == 0 || *replicas > MAX_COUNT {
        report.invalid("spec.replicas", format!("it must be from 1 to {MAX_COUNT}"), replicas);
    }
    if *min_replicas == Some(0) {
        report.invalid("spec.minReplicas", "it must be at least 1", &0);
    }
    if let Some(max) = max_replicas {
        if *max == 0 || *max > MAX_COUNT {
            report.invalid("spec.maxReplicas", format!("it must be from 1 to {MAX_COUNT}"), max);
        } else if replicas > max {
            report.conflict(
                "spec.maxReplicas",
                format!("it must be at least replicas, which is {replicas}"),
                max,
            );
        }
    }
    if let Some(min) = min_replicas {
        if min > replicas {
            report.conflict(
                "spec.minReplicas",
                format!("it must be at most replicas, which is {replicas}"),
                min,
            );
        }
        if let Some(max) = max_replicas.filter(|max| min > max) {
            report.conflict(
                "spec.minReplicas",
                format!("it must be at most maxReplicas, which is {max}"),
                min,
            );
        }
    }
}

fn others(field: &str, amounts: &Amounts, report: &mut Report) {
    for (name, text) in &amounts.other {
        if let Err(error) = Quantity::parse(text).and_then(Quantity::units) {
            report.invalid(format!("spec.resources.{field}.other[{name}]"), error.to_string(), text);
        }
    }
}
