//! [client] Makes the children what they shall be: looks first where there may be one, and writes only what differs.
//!
//! What is not there is created by a plain POST, which costs an API server two thirds of what server-side apply does, and takes
//! nothing that somebody else made meanwhile. The fields are the manager's by updating then; before the first change they
//! become its by applying, so that a change takes away what is no longer wanted.
//!
//! First goes what is no longer wanted: an autoscaler that stays for a moment longer would undo the number of replicas that is
//! written next. Then come the children in the order of the build.
//!
//! A child of the same name that somebody else controls is left alone. One that nobody controls is somebody else's, too.

use isthmus_model::component::Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::api::{Api, Error, MANAGER, Place};
use super::build::names;
use super::child::{Child, ChildKind, custom_resource};
use super::children::{Children, Key, controller};
use super::difference::{APPLIED, contains, digest};
use super::owner::Owner;

/// The field manager of what an API server would have defaulted: it gives way to everybody.
pub(crate) const DEFAULTS: &str = "isthmus-agent-defaults";

/// A workload that is to be applied.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) children: Vec<Child>,
    /// Create and delete, but change nothing that exists.
    pub(crate) paused: bool,
    /// An earlier generation of the resource was applied and this one was not yet, so that children may be left from before.
    pub(crate) changed: bool,
    /// Replicas to write into the resource, which an autoscaler reads there.
    pub(crate) replicas: Option<u32>,
}

/// A workload as it is in the cluster now. Only [`apply`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    outcomes: Vec<(ChildKind, String, Outcome)>,
}

impl Applied {
    /// What became of each child.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (ChildKind, &str, &Outcome)> {
        self.outcomes.iter().map(|(kind, name, outcome)| (*kind, name.as_str(), outcome))
    }

    #[cfg(test)]
    pub(crate) fn of(outcomes: Vec<(ChildKind, String, Outcome)>) -> Self {
        Self { outcomes }
    }

    /// Whether something is in the way that may go without anybody telling.
    pub(crate) fn is_hindered(&self) -> bool {
        let hinders = |outcome: &Outcome| matches!(outcome, Outcome::Foreign(_) | Outcome::Refused(_));
        self.outcomes.iter().any(|(_, _, outcome)| hinders(outcome))
    }

    /// How many children were written.
    pub(crate) fn wrote(&self) -> usize {
        let wrote = |outcome: &Outcome| matches!(outcome, Outcome::Created | Outcome::Updated);
        self.outcomes.iter().filter(|(_, _, outcome)| wrote(outcome)).count()
    }
}

/// What became of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was as it should be.
    Unchanged,
    /// It was not there.
    Created,
    /// It was different.
    Updated,
    /// It is different, and stays so while the rollout is paused.
    Withheld,
    /// It belongs to somebody else: who, if it says so.
    Foreign(Option<String>),
    /// The API server does not take it: why.
    Refused(String),
}

/// Applies the children.
///
/// # Errors
/// The API server could not be asked or told; nothing is known of the children that come after. The next call goes on.
pub(crate) async fn apply(api: &Api, known: &Children, prepared: Prepared<'_>) -> Result<Applied, Error> {
    let Prepared { owner, children, paused, changed, replicas } = prepared;
    let stages = Stages { api, known, owner, paused };
    stages.remove_unwanted(&children, changed).await?;
    if let Some(replicas) = replicas {
        stages.say_replicas(replicas).await?;
    }
    let mut outcomes = Vec::with_capacity(children.len());
    for child in children {
        let (kind, name) = (child.kind, child.name.clone());
        let outcome = match stages.child(child).await {
            Ok(outcome) => outcome,
            Err(error) => match error.refusal() {
                Some(message) => Outcome::Refused(message.to_owned()),
                None => return Err(error),
            },
        };
        outcomes.push((kind, name, outcome));
    }
    Ok(Applied { outcomes })
}

struct Stages<'a> {
    api: &'a Api,
    known: &'a Children,
    owner: &'a Owner,
    paused: bool,
}

impl Stages<'_> {
    fn place(&self, kind: ChildKind, name: &str) -> Place {
        Place { resource: kind.resource(), namespace: self.owner.namespace.clone(), name: name.to_owned() }
    }

    fn key(&self, kind: ChildKind, name: &str) -> Key {
        Key { kind, namespace: self.owner.namespace.clone(), name: name.to_owned() }
    }

    /// Deletes what the resource may have had before and has no more.
    async fn remove_unwanted(&self, children: &[Child], changed: bool) -> Result<(), Error> {
        let wanted = |kind: ChildKind, name: &str| {
            children.iter().any(|child| child.kind == kind && child.name == name)
        };
        let base = names::base(self.owner);
        for kind in [ChildKind::HorizontalPodAutoscaler, ChildKind::VerticalPodAutoscaler] {
            let known = self.known.known(&self.key(kind, &base));
            let theirs =
                known.filter(|known| known.owner.as_ref().is_some_and(|(_, uid)| *uid == self.owner.uid));
            if let Some(known) = theirs.filter(|_| !wanted(kind, &base)) {
                self.api.delete(&self.place(kind, &base), &known.uid).await?;
            }
        }
        // Secrets are not watched, so that they are asked for, but only when there may be one that is not wanted.
        for name in ["auth", "package-auth"].map(|purpose| names::credentials(self.owner, purpose)) {
            if changed && !wanted(ChildKind::Secret, &name) {
                self.remove_secret(&name).await?;
            }
        }
        Ok(())
    }

    async fn remove_secret(&self, name: &str) -> Result<(), Error> {
        let place = self.place(ChildKind::Secret, name);
        let live = match self.api.get(&place).await {
            Ok(Some(live)) => metadata(&live),
            Ok(None) => return Ok(()),
            // Who may not look at Secrets has made none.
            Err(error) if error.refusal().is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        match (controller(&live), live.uid) {
            (Some((_, owner)), Some(uid)) if owner == self.owner.uid => self.api.delete(&place, &uid).await,
            _ => Ok(()),
        }
    }

    /// An autoscaler that reads no number of replicas takes the resource for stopped.
    async fn say_replicas(&self, replicas: u32) -> Result<(), Error> {
        let place = Place {
            resource: custom_resource(self.owner.kind),
            namespace: self.owner.namespace.clone(),
            name: self.owner.name.clone(),
        };
        let mut body = identified(&place, &self.owner.uid);
        body.insert("spec".to_owned(), json!({ "replicas": replicas }));
        self.api.apply(&place, &body, DEFAULTS, false).await.map(drop)
    }

    async fn child(&self, child: Child) -> Result<Outcome, Error> {
        let Child { kind, name, body } = child;
        let (key, place, digest) = (self.key(kind, &name), self.place(kind, &name), digest(&body));
        if self.known.is_verified(&key, &digest) {
            return Ok(Outcome::Unchanged);
        }
        let keep = |body: &mut Object, live: &Object| {
            if kind == ChildKind::StatefulSet {
                keep_what_cannot_change(body, live);
            }
        };
        let (owner, absent) = (self.owner.uid.as_str(), self.known.is_absent(&key));
        let wanted = Wanted { place: &place, owner, body, digest: &digest, absent, paused: self.paused };
        let (outcome, seen) = wanted.bring(self.api, keep).await?;
        if let Some(metadata) = seen {
            self.known.verify(key, &metadata, digest);
        }
        Ok(outcome)
    }
}

/// One object that shall be.
pub(super) struct Wanted<'a> {
    pub(super) place: &'a Place,
    /// The identity of who controls it.
    pub(super) owner: &'a str,
    pub(super) body: Object,
    /// Of the body, as it will be asked for next time.
    pub(super) digest: &'a str,
    /// As far as is known there is none.
    pub(super) absent: bool,
    /// Create, but change nothing that exists.
    pub(super) paused: bool,
}

impl Wanted<'_> {
    /// Looks, and writes if there is a difference; with the metadata of an object that now is as it shall be. What `keep` takes
    /// over from the live object stays as it is there.
    pub(super) async fn bring(
        self,
        api: &Api,
        keep: impl FnOnce(&mut Object, &Object),
    ) -> Result<(Outcome, Option<ObjectMeta>), Error> {
        let Self { place, owner, mut body, digest, absent, paused } = self;
        annotate(&mut body, digest);
        if absent {
            match api.create(place, &body, MANAGER).await {
                Ok(made) => return Ok((Outcome::Created, Some(metadata(&made)))),
                // There is one all the same, somebody else's perhaps.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        let Some(live) = api.get(place).await? else {
            let made = api.create(place, &body, MANAGER).await?;
            return Ok((Outcome::Created, Some(metadata(&made))));
        };
        let owned = metadata(&live);
        match controller(&owned) {
            Some((_, uid)) if uid == owner => {}
            foreign => return Ok((Outcome::Foreign(foreign.map(|(name, _)| name)), None)),
        }
        keep(&mut body, &live);
        let (live, mut body) = (Value::Object(live), Value::Object(body));
        if contains(&live, &body) {
            return Ok((Outcome::Unchanged, Some(owned)));
        }
        if paused {
            return Ok((Outcome::Withheld, None));
        }
        let version = match created_entry(&owned, MANAGER) {
            Some(entry) => own(api, place, owned.clone(), entry).await?,
            None => owned.resource_version,
        };
        if let (Some(metadata), Some(uid), Some(version)) =
            (body.get_mut("metadata").and_then(Value::as_object_mut), owned.uid, version)
        {
            // The one that was looked at, as it was looked at, and no other: whoever slept meanwhile overwrites nothing.
            metadata.insert("uid".to_owned(), uid.into());
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
        let Value::Object(body) = body else { return Ok((Outcome::Unchanged, None)) };
        let made = api.apply(place, &body, MANAGER, true).await?;
        Ok((Outcome::Updated, Some(metadata(&made))))
    }
}

/// Where in `managedFields` the manager's fields stand as they were created, if it has not applied any since.
fn created_entry(live: &ObjectMeta, manager: &str) -> Option<usize> {
    let entries = live.managed_fields.as_deref().unwrap_or_default();
    let by = |operation: &str| {
        entries.iter().position(|entry| {
            entry.manager.as_deref() == Some(manager)
                && entry.operation.as_deref() == Some(operation)
                && entry.subresource.is_none()
        })
    };
    by("Update").filter(|_| by("Apply").is_none())
}

/// Makes the fields of this entry the manager's by applying; the object's version since.
async fn own(api: &Api, place: &Place, live: ObjectMeta, entry: usize) -> Result<Option<String>, Error> {
    let mut entries = live.managed_fields.unwrap_or_default();
    if let Some(entry) = entries.get_mut(entry) {
        entry.operation = Some("Apply".to_owned());
    }
    let mut body = Object::new();
    // Of the object that was looked at, as it was looked at.
    let changed =
        json!({"uid": live.uid, "resourceVersion": live.resource_version, "managedFields": entries});
    body.insert("metadata".to_owned(), changed);
    Ok(metadata(&api.merge(place, &body, MANAGER).await?).resource_version)
}

fn annotate(body: &mut Object, digest: &str) {
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(APPLIED.to_owned(), digest.into());
        }
    }
}

/// Fields of a StatefulSet that the API server lets nobody change stay as they are, and with the selector the labels by which
/// it finds its pods.
fn keep_what_cannot_change(body: &mut Object, live: &Object) {
    let Some(live) = live.get("spec") else { return };
    let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"] {
        let (wanted, live) =
            (spec.get(field).unwrap_or(&Value::Null), live.get(field).unwrap_or(&Value::Null));
        if contains(live, wanted) {
            continue;
        }
        if live.is_null() {
            spec.remove(field);
        } else {
            let kept = without_status(live.clone());
            spec.insert(field.to_owned(), kept);
        }
    }
    let labels =
        live.pointer("/selector/matchLabels").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(Value::Object(template)) = spec
        .get_mut("template")
        .and_then(|template| template.get_mut("metadata"))
        .and_then(|metadata| metadata.get_mut("labels"))
    {
        template.extend(labels);
    }
}

/// Claims carry a status that nobody may apply.
fn without_status(mut value: Value) -> Value {
    for claim in value.as_array_mut().into_iter().flatten() {
        if let Some(claim) = claim.as_object_mut() {
            claim.remove("status");
        }
    }
    value
}

/// The beginning of what is applied to an object that is there.
pub(crate) fn identified(place: &Place, uid: &str) -> Object {
    let body = json!({
        "apiVersion": place.resource.api_version,
        "kind": place.resource.kind,
        "metadata": {"name": place.name, "namespace": place.namespace, "uid": uid},
    });
    match body {
        Value::Object(body) => body,
        _ => Object::new(),
    }
}

pub(super) fn metadata(object: &Object) -> ObjectMeta {
    object
        .get("metadata")
        .cloned()
        .and_then(|metadata| serde_json::from_value(metadata).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: &Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_cannot_change_stays_and_the_selector_finds_its_pods() {
        let live = object(&json!({"spec": {
            "selector": {"matchLabels": {"old": "x"}},
            "serviceName": "s",
            "podManagementPolicy": "OrderedReady",
            "volumeClaimTemplates": [{"metadata": {"name": "d"}, "status": {"phase": "Pending"}}],
        }}));
        let mut body = object(&json!({"spec": {
            "selector": {"matchLabels": {"new": "y"}},
            "serviceName": "t",
            "podManagementPolicy": "Parallel",
            "template": {"metadata": {"labels": {"new": "y"}}},
        }}));
        keep_what_cannot_change(&mut body, &live);
        assert_eq!(
            Value::Object(body),
            json!({"spec": {
                "selector": {"matchLabels": {"old": "x"}},
                "serviceName": "s",
                "podManagementPolicy": "OrderedReady",
                "template": {"metadata": {"labels": {"new": "y", "old": "x"}}},
                "volumeClaimTemplates": [{"metadata": {"name": "d"}}],
            }})
        );
    }

    #[test]
    fn fields_that_were_created_become_applied_once() {
        let entry = |manager: &str, operation: &str, subresource: Option<&str>| json!({"manager": manager, "operation": operation, "subresource": subresource});
        let (kubelet, status) = (entry("kubelet", "Update", None), entry(MANAGER, "Update", Some("status")));
        let (created, applied) = (entry(MANAGER, "Update", None), entry(MANAGER, "Apply", None));
        for (entries, expected) in [
            (json!([kubelet, status, created]), Some(2)),
            (json!([kubelet, created, applied]), None),
            (json!([kubelet, status]), None),
            (Value::Null, None),
        ] {
            let live = metadata(&object(&json!({"metadata": {"managedFields": entries}})));
            assert_eq!(created_entry(&live, MANAGER), expected, "{entries}");
        }
    }

    #[test]
    fn what_is_the_same_but_for_defaults_is_left_as_it_was_written() {
        let live =
            object(&json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "volumeClaimTemplates": [
                {"metadata": {"name": "d"}, "spec": {"volumeMode": "Filesystem"}, "status": {}},
            ]}}));
        let body =
            object(&json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "volumeClaimTemplates": [
                {"metadata": {"name": "d"}, "spec": {}},
            ]}}));
        let mut kept = body.clone();
        keep_what_cannot_change(&mut kept, &live);
        assert_eq!(kept, body);
    }
}
