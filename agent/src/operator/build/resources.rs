//! Instances, cpu, memory and others as Kubernetes has them, each in the one form that the API server would give back.

use std::collections::BTreeMap;

use isthmus_model::resources::{Amounts, Resources};
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// How many instances.
pub(crate) fn replicas(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// What the main container asks for and may use at most.
pub(super) fn requirements(resources: &Resources) -> ResourceRequirements {
    let Resources { requests, limits } = resources;
    ResourceRequirements { requests: quantities(requests), limits: quantities(limits), claims: None }
}

fn quantities(amounts: &Amounts) -> Option<BTreeMap<String, Quantity>> {
    // Storage is told to the instance; containers cannot ask for it.
    let Amounts { cpu_millis, memory_bytes, storage_bytes: _, other } = amounts;
    let mut all: BTreeMap<String, Quantity> =
        other.iter().map(|(name, text)| (name.clone(), Quantity(text.clone()))).collect();
    let known = [("cpu", cpu_millis.map(millis)), ("memory", memory_bytes.map(bytes))];
    all.extend(known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Quantity(text?)))));
    (!all.is_empty()).then_some(all)
}

fn millis(millis: u64) -> String {
    if millis.is_multiple_of(1_000) { decimal(millis / 1_000) } else { format!("{millis}m") }
}

fn bytes(bytes: u64) -> String {
    if bytes.is_multiple_of(1_024) {
        scaled(bytes, 1_024, &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
    } else {
        decimal(bytes)
    }
}

/// A number with the largest decimal suffix that loses nothing: 220000000 is 220M.
pub(super) fn decimal(number: u64) -> String {
    scaled(number, 1_000, &["", "k", "M", "G", "T", "P", "E"])
}

fn scaled(mut number: u64, step: u64, suffixes: &[&str]) -> String {
    let mut suffixes = suffixes.iter().peekable();
    while number != 0 && number.is_multiple_of(step) && suffixes.len() > 1 {
        number /= step;
        suffixes.next();
    }
    format!("{number}{}", suffixes.next().unwrap_or(&""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_largest_suffix_that_loses_nothing() {
        for (number, text) in [
            (0, "0"),
            (1_073_741_824, "1Gi"),
            (536_870_912, "512Mi"),
            (1_100_000_000, "1100M"),
            (214_748_364, "214748364"),
            (1, "1"),
        ] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(
            (millis(500), millis(2_000), decimal(220_000_000)),
            ("500m".into(), "2".into(), "220M".into())
        );
        assert_eq!(decimal(u64::MAX), u64::MAX.to_string());
    }
}
