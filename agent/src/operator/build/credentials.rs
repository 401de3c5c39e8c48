//! Credentials that the resource has in itself, as Secrets: from there they become environment, and stand in no command.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::super::child::{Child, ChildKind};
use super::{Prepared, child, names};

pub(super) fn build(prepared: &Prepared<'_>) -> Vec<Child> {
    let connections = std::iter::once(prepared.messaging()).chain(prepared.package_service());
    connections
        .filter_map(|connection| {
            let (plugin, parameters) = connection.inline()?;
            let data =
                [("clientAuthenticationPlugin", plugin), ("clientAuthenticationParameters", parameters)];
            let data: BTreeMap<_, _> =
                data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).into();
            let secret = Secret {
                metadata: names::metadata(prepared.owner, connection.own_secret()),
                data: Some(data),
                type_: Some("Opaque".to_owned()),
                ..Secret::default()
            };
            Some(child(ChildKind::Secret, &secret))
        })
        .collect()
}
