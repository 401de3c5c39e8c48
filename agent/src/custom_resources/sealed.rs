//! The Secret of a component whose secrets travelled sealed.
//!
//! ```text
//! assignment ▶ refer: the custom resource names the Secret ─▶ it stands ─▶ keep [client]: get ▶ need (pure) ▶ open ▶ apply
//! ```
//!
//! It is reached by its name only: a list or a watch would show the agent the Secrets of others. What it holds is told by the digest
//! of the ciphertexts, so that nothing is opened only to find that nothing is to be done. It belongs to the custom resource and
//! goes with it.

use std::collections::BTreeMap;

use isthmus_model::assignment::Assignment;
use isthmus_model::component::{Object, SecretRef, Spec};
use isthmus_model::name::{Digest, Uid};
use isthmus_model::sealed::SealedSecrets;
use isthmus_sealing::{OpenError, PrivateKey, Values};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};
use zeroize::Zeroize as _;

use super::marks::{self, ASSIGNED, LABEL, MANAGER, Share};
use crate::operator::api::{self, Api, Place};
use crate::operator::child::ChildKind;

/// The annotation with the digest of the ciphertexts: of the Secret, and of the pods, which are new when they are.
const DIGEST: &str = "isthmus.io/sealed-secrets";

/// Why there is no such Secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server.
    #[error(transparent)]
    Api(#[from] api::Error),
    /// They do not open.
    #[error("cannot write the secrets that travelled sealed")]
    Open(#[source] OpenError),
    /// Somebody else has the name.
    #[error("Secret {0} is not of this component; it is left alone until it is gone or renamed")]
    Foreign(String),
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Write,
    /// It belongs to somebody else.
    Foreign,
}

/// Has the spec of a custom resource of this name refer to the Secret.
pub(crate) fn refer(spec: &mut Spec, resource: &str, sealed: &SealedSecrets) {
    for (name, secret) in spec.secrets.iter_mut().filter(|(_, secret)| secret.is_sealed()) {
        *secret = SecretRef { path: name_of(resource), key: name.clone() };
    }
    let annotations = spec.kubernetes.pod.entry("annotations").or_insert_with(|| json!({}));
    if let Value::Object(annotations) = annotations {
        annotations.insert(DIGEST.to_owned(), sealed.digest().to_string().into());
    }
}

/// Makes the Secret of a component what its assignment says; `owner` is its custom resource. Returns whether it was written.
///
/// # Errors
/// The API server refuses it, its name is somebody else's, or what travelled does not open.
pub(crate) async fn keep(
    api: &Api,
    share: &Share,
    key: &PrivateKey,
    assignment: &Assignment,
    namespace: &str,
    owner: OwnerReference,
) -> Result<bool, Error> {
    let Some(sealed) = assignment.sealed.as_deref() else { return Ok(false) };
    let place = Place {
        resource: ChildKind::Secret.resource(),
        namespace: namespace.to_owned(),
        name: name_of(&owner.name),
    };
    let found = api.get(&place).await?.map(|mut found| {
        wipe(&mut found);
        found
    });
    match need(found.as_ref(), share, assignment.uid, sealed.digest(), &owner) {
        Need::Nothing => return Ok(false),
        Need::Foreign => return Err(Error::Foreign(format!("{}/{}", place.namespace, place.name))),
        Need::Write => {}
    }
    let values = isthmus_sealing::open(&assignment.name, sealed, key).map_err(Error::Open)?;
    let mut body = body(share, assignment.uid, sealed.digest(), &place, owner, &values);
    drop(values);
    let applied = api.apply(&place, &body, MANAGER, true).await;
    wipe(&mut body);
    wipe(&mut applied?);
    Ok(true)
}

fn name_of(resource: &str) -> String {
    format!("{resource}-sealed-secrets")
}

fn need(found: Option<&Object>, share: &Share, uid: Uid, digest: Digest, owner: &OwnerReference) -> Need {
    let Some(found) = found else { return Need::Write };
    let metadata = found.get("metadata").cloned().unwrap_or_default();
    let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap_or_default();
    let annotation = |key: &str| metadata.annotations.as_ref()?.get(key).map(String::as_str);
    if !share.has(metadata.annotations.as_ref()) || annotation(marks::UID) != Some(&uid.to_string()) {
        return Need::Foreign;
    }
    let owned = metadata.owner_references.iter().flatten().any(|known| known.uid == owner.uid);
    if owned && annotation(DIGEST) == Some(&digest.to_string()) { Need::Nothing } else { Need::Write }
}

fn body(
    share: &Share,
    uid: Uid,
    digest: Digest,
    place: &Place,
    owner: OwnerReference,
    values: &Values,
) -> Object {
    let mut annotations = share.annotations();
    annotations.insert(marks::UID.to_owned(), uid.to_string());
    annotations.insert(DIGEST.to_owned(), digest.to_string());
    let mut secret = Secret {
        metadata: ObjectMeta {
            name: Some(place.name.clone()),
            namespace: Some(place.namespace.clone()),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), ASSIGNED.to_owned())])),
            annotations: Some(annotations),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(
            values
                .iter()
                .map(|(name, value)| (name.to_owned(), ByteString(value.as_bytes().to_vec())))
                .collect(),
        ),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    };
    let body = serde_json::to_value(&secret).unwrap_or_default();
    secret.data.iter_mut().flatten().for_each(|(_, value)| value.0.zeroize());
    match body {
        Value::Object(body) => body,
        _ => Object::new(),
    }
}

/// Overwrites what a Secret holds.
fn wipe(secret: &mut Object) {
    let data = secret.get_mut("data").and_then(Value::as_object_mut);
    for value in data.into_iter().flat_map(serde_json::Map::values_mut) {
        if let Value::String(text) = value {
            text.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::marks::tests::{share, uid};
    use super::*;

    fn owner(uid: &str) -> OwnerReference {
        let (api_version, kind) = ("compute.functionmesh.io/v1alpha1".to_owned(), "Function".to_owned());
        OwnerReference {
            api_version,
            kind,
            name: "greet".to_owned(),
            uid: uid.to_owned(),
            ..OwnerReference::default()
        }
    }

    fn written() -> Object {
        let values = [("PASSWORD".to_owned(), Zeroizing::new("hunter2".to_owned()))].into_iter().collect();
        let (namespace, name) = ("default".to_owned(), name_of("greet"));
        let place = Place { resource: ChildKind::Secret.resource(), namespace, name };
        body(&share(), uid(7), Digest([1; 32]), &place, owner("o-1"), &values)
    }

    #[test]
    fn the_secret_says_whose_it_is_and_goes_with_its_resource() {
        let mut body = written();
        assert_eq!(body["kind"], "Secret");
        assert_eq!(body["data"], json!({"PASSWORD": "aHVudGVyMg=="}));
        assert_eq!(body["metadata"]["name"], "greet-sealed-secrets");
        assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "o-1");
        wipe(&mut body);
        assert_eq!(body["data"], json!({"PASSWORD": ""}));
    }

    #[test]
    fn it_is_written_only_when_it_is_another_and_never_over_somebody_elses() {
        let body = written();
        let needs = |found, number, digest, of: &str| {
            need(found, &share(), uid(number), Digest([digest; 32]), &owner(of))
        };
        assert_eq!(needs(None, 7, 1, "o-1"), Need::Write);
        assert_eq!(needs(Some(&body), 7, 1, "o-1"), Need::Nothing);
        assert_eq!(needs(Some(&body), 7, 2, "o-1"), Need::Write);
        assert_eq!(needs(Some(&body), 7, 1, "o-2"), Need::Write, "its resource was made anew");
        assert_eq!(needs(Some(&body), 8, 1, "o-1"), Need::Foreign);
        let bare = json!({"metadata": {"name": "greet-sealed-secrets"}});
        assert_eq!(needs(bare.as_object(), 7, 1, "o-1"), Need::Foreign);
    }

    #[test]
    fn the_resource_names_the_secret_and_its_pods_are_new_when_it_is() {
        let named = SecretRef { path: "db".into(), key: "k".into() };
        let secrets = [("PASSWORD".to_owned(), SecretRef::default()), ("NAMED".to_owned(), named.clone())];
        let mut spec = Spec { secrets: secrets.into(), ..Spec::default() };
        spec.kubernetes.pod.insert("annotations".to_owned(), json!({"own": "stays"}));
        let sealed = SealedSecrets { keys: BTreeMap::new(), values: std::sync::Arc::default() };
        refer(&mut spec, "greet", &sealed);
        let made = SecretRef { path: "greet-sealed-secrets".into(), key: "PASSWORD".into() };
        assert_eq!((&spec.secrets["PASSWORD"], &spec.secrets["NAMED"]), (&made, &named));
        let annotations = &spec.kubernetes.pod["annotations"];
        assert_eq!(
            (&annotations["own"], &annotations[DIGEST]),
            (&json!("stays"), &json!(sealed.digest().to_string()))
        );
    }
}
