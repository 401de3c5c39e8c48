//! Names, labels and history: what every resource carries.

use std::collections::BTreeMap;

use isthmus_model::name::{FullName, LabelKey, LabelValue, Labels, Namespace, Tenant, Uid};

use super::problems::{Invalid, Path, Problems};
use crate::common::v1 as wire;

impl From<FullName> for wire::FullName {
    fn from(FullName { tenant, namespace, name }: FullName) -> Self {
        Self { tenant: tenant.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl From<&FullName> for wire::FullName {
    fn from(name: &FullName) -> Self {
        name.clone().into()
    }
}

impl TryFrom<wire::FullName> for FullName {
    type Error = Invalid;

    fn try_from(wire::FullName { tenant, namespace, name }: wire::FullName) -> Result<Self, Invalid> {
        let root = Path::ROOT;
        let mut problems = Problems::default();
        let tenant = problems.parse(&root.field("tenant"), &or(tenant, Tenant::DEFAULT));
        let namespace = problems.parse(&root.field("namespace"), &or(namespace, Namespace::DEFAULT));
        let name = problems.parse(&root.field("name"), &name);
        match (tenant, namespace, name) {
            (Some(tenant), Some(namespace), Some(name)) => Ok(Self { tenant, namespace, name }),
            _ => Err(problems.into()),
        }
    }
}

/// `text`, or `default` when it is empty.
pub(super) fn or(text: String, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text }
}

/// Labels as they come over the wire, all wrong ones named under `labels[…]`.
pub fn labels(labels: &BTreeMap<String, String>) -> Result<Labels, Invalid> {
    let mut problems = Problems::default();
    let parsed = parse_labels(labels, &Path::ROOT.field("labels"), &mut problems);
    problems.finish(parsed)
}

pub(super) fn parse_labels(
    labels: &BTreeMap<String, String>,
    path: &Path<'_>,
    problems: &mut Problems,
) -> Labels {
    let parse = |(key, value): (&String, &String)| {
        let path = path.key(key);
        let key: Option<LabelKey> = problems.parse(&path, key);
        let value: Option<LabelValue> = problems.parse(&path, value);
        key.zip(value)
    };
    labels.iter().filter_map(parse).collect()
}

/// Labels towards the wire.
pub(super) fn wire_labels(labels: Labels) -> BTreeMap<String, String> {
    labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// A UID in its 16 bytes.
pub(super) fn uid(bytes: &[u8]) -> Result<Uid, Invalid> {
    Uid::from_slice(bytes)
        .map_err(|error| Invalid::one("uid", isthmus_model::reason::Reason::InvalidField, error.to_string()))
}
