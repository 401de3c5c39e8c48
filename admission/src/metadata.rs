//! Names, labels and annotations.

use std::collections::BTreeMap;

use isthmus_model::name::{
    ComponentName, FullName, Invalid, LabelKey, LabelValue, Labels, Namespace, Tenant,
};

use crate::report::Report;

/// Kubernetes' bound on all annotations of an object together.
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// More labels than anybody selects by; each is compared at every placement.
const MAX_LABELS: usize = 64;

pub(crate) fn name(tenant: &str, namespace: &str, name: &str, report: &mut Report) -> Option<FullName> {
    let tenant = part("metadata.tenant", tenant, Tenant::new, report);
    let namespace = part("metadata.namespace", namespace, Namespace::new, report);
    let name = part("metadata.name", name, ComponentName::new, report);
    Some(FullName { tenant: tenant?, namespace: namespace?, name: name? })
}

fn part<T>(
    field: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, Invalid>,
    report: &mut Report,
) -> Option<T> {
    if text.is_empty() {
        report.missing(field, "it must be given");
        return None;
    }
    parse(text).map_err(|error| report.invalid(field, error.rule, &error.value)).ok()
}

pub(crate) fn labels(labels: BTreeMap<String, String>, report: &mut Report) -> Labels {
    if labels.len() > MAX_LABELS {
        report.invalid(
            "metadata.labels",
            format!("there must be at most {MAX_LABELS} labels"),
            &labels.len(),
        );
    }
    labels
        .into_iter()
        .filter_map(|(key, value)| {
            let field = || format!("metadata.labels[{key}]");
            let value = LabelValue::new(&value)
                .map_err(|error| report.invalid(field(), error.rule, &error.value))
                .ok();
            let key =
                LabelKey::new(&key).map_err(|error| report.invalid(field(), error.rule, &error.value)).ok();
            Some((key?, value?))
        })
        .collect()
}

pub(crate) fn annotations(annotations: &BTreeMap<String, String>, report: &mut Report) {
    let bytes: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_ANNOTATION_BYTES {
        let message = format!("all annotations together must have at most {MAX_ANNOTATION_BYTES} bytes");
        report.invalid("metadata.annotations", message, &bytes);
    }
    for key in annotations.keys() {
        if let Err(error) = LabelKey::new(key) {
            report.invalid(format!("metadata.annotations[{key}]"), error.rule, &error.value);
        }
    }
}
