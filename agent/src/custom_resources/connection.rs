//! Pulsar's addresses as a ConfigMap, which a custom resource names and its pods read; pure.
//!
//! Its name says its content: other addresses are another ConfigMap, so that the pods that read it are replaced in order, and
//! two components that were told of the same Pulsar at different times do not fight over one.

use isthmus_model::component::Object;
use isthmus_model::pulsar_cluster::PulsarCluster;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::ApiResource;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::marks::{ASSIGNED, LABEL, Share};
use super::plan::{ConnectionKey, ConnectionState};
use crate::operator::api::Place;

/// Hexadecimal digits of the digest.
const DIGITS: usize = 8;

/// The addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) key: ConnectionKey,
    admin_url: Box<str>,
    service_url: Box<str>,
}

impl Connection {
    /// Those of `pulsar`, for resources of this Kubernetes namespace.
    pub(crate) fn new(namespace: &str, pulsar: &PulsarCluster) -> Self {
        let PulsarCluster { name, service_url, admin_url, pulsar_name: _, state_service_url: _, peers: _ } =
            pulsar;
        let digest = digest(admin_url, service_url);
        let name = format!("isthmus-pulsar-{name}-{digest}").into();
        Self {
            key: ConnectionKey { namespace: namespace.into(), name },
            admin_url: admin_url.as_str().into(),
            service_url: service_url.as_str().into(),
        }
    }

    /// The whole ConfigMap, with Function Mesh's keys.
    pub(crate) fn body(&self, share: &Share) -> Object {
        let place = self.key.place();
        let body = json!({
            "apiVersion": place.resource.api_version,
            "kind": place.resource.kind,
            "metadata": {
                "name": place.name,
                "namespace": place.namespace,
                "labels": {LABEL: ASSIGNED},
                "annotations": share.annotations(),
            },
            "data": {"webServiceURL": self.admin_url, "brokerServiceURL": self.service_url},
        });
        match body {
            Value::Object(body) => body,
            _ => Object::new(),
        }
    }
}

impl ConnectionKey {
    /// Where it stands.
    pub(crate) fn place(&self) -> Place {
        Place {
            resource: ApiResource::erase::<ConfigMap>(&()),
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
        }
    }
}

/// How a ConfigMap stands that was found under a name of ours.
pub(crate) fn state(share: &Share, name: &str, found: &ConfigMap) -> ConnectionState {
    let data = found.data.as_ref();
    let value = |key: &str| data.and_then(|data| data.get(key)).map_or("", String::as_str);
    let right = name.ends_with(&digest(value("webServiceURL"), value("brokerServiceURL")));
    let labelled = found.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(LABEL));
    match (share.has(found.metadata.annotations.as_ref()), right && labelled) {
        (false, _) => ConnectionState::Foreign,
        (true, true) => ConnectionState::Right,
        (true, false) => ConnectionState::Wrong,
    }
}

fn digest(admin_url: &str, service_url: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("{admin_url}\n{service_url}")));
    digest.get(..DIGITS).unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use isthmus_model::name::PulsarClusterName;

    use super::*;
    use crate::custom_resources::marks::tests::share;

    pub(crate) fn pulsar(service_url: &str) -> PulsarCluster {
        PulsarCluster {
            name: PulsarClusterName::new("main").unwrap(),
            service_url: service_url.to_owned(),
            admin_url: "http://pulsar:8080".to_owned(),
            pulsar_name: String::new(),
            state_service_url: String::new(),
            peers: Vec::new(),
        }
    }

    fn found(connection: &Connection) -> ConfigMap {
        serde_json::from_value(Value::Object(connection.body(&share()))).unwrap()
    }

    #[test]
    fn what_was_written_is_right_and_what_somebody_changed_is_wrong() {
        let connection = Connection::new("n", &pulsar("pulsar://pulsar:6650"));
        let name = &connection.key.name;
        assert_eq!(state(&share(), name, &found(&connection)), ConnectionState::Right);
        let mut changed = found(&connection);
        changed.data.as_mut().unwrap().insert("brokerServiceURL".to_owned(), "pulsar://x".to_owned());
        assert_eq!(state(&share(), name, &changed), ConnectionState::Wrong);
        let mut foreign = found(&connection);
        foreign.metadata.annotations = None;
        assert_eq!(state(&share(), name, &foreign), ConnectionState::Foreign);
    }

    #[test]
    fn other_addresses_are_another_config_map() {
        let [one, other] = ["pulsar://a", "pulsar://b"].map(|url| Connection::new("n", &pulsar(url)).key);
        assert!(one.name.starts_with("isthmus-pulsar-main-") && one != other, "{one:?}");
    }
}
