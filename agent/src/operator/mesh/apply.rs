//! [client] Carries a plan out. A member that cannot be written keeps none of the others from it.

use std::collections::BTreeMap;

use futures::StreamExt;
use isthmus_model::component::Object;
use serde_json::{Value, json};

use super::super::api::{Api, Error, Place};
use super::super::apply::{self, Outcome};
use super::super::child::custom_resource;
use super::super::children::controller;
use super::dereference::Mesh;
use super::members::{Key, Members};
use super::plan::{Plan, Removal, Wanted};

/// Members that are written at once.
const AT_ONCE: usize = 8;

/// What became of the members. Only [`apply`] makes one.
#[derive(Debug, Default)]
pub(crate) struct Applied(BTreeMap<Key, Outcome>);

impl Applied {
    /// What became of one.
    pub(crate) fn outcome(&self, key: &Key) -> Option<&Outcome> {
        self.0.get(key)
    }

    /// Whether something is in the way that may go without anybody telling.
    pub(crate) fn is_hindered(&self) -> bool {
        self.0.values().any(|outcome| matches!(outcome, Outcome::Foreign(_) | Outcome::Refused(_)))
    }

    #[cfg(test)]
    pub(crate) fn of(outcomes: impl IntoIterator<Item = (Key, Outcome)>) -> Self {
        Self(outcomes.into_iter().collect())
    }
}

/// Removes and writes.
///
/// # Errors
/// The API server could not be asked or told about a member; the others were nevertheless. The next call goes on.
pub(crate) async fn apply(api: &Api, members: &Members, mesh: &Mesh, plan: Plan) -> Result<Applied, Error> {
    let Plan { removals, waves, kept } = plan;
    let mut failed = None;
    for removal in removals {
        if let Err(error) = remove(api, mesh, removal).await {
            failed.get_or_insert(error);
        }
    }
    let mut outcomes: BTreeMap<_, _> = kept.into_iter().map(|key| (key, Outcome::Unchanged)).collect();
    for wave in waves {
        let written = futures::stream::iter(wave).map(|wanted| write(api, members, mesh, wanted));
        let mut written = written.buffer_unordered(AT_ONCE);
        while let Some((key, outcome)) = written.next().await {
            match outcome {
                Ok(outcome) => {
                    outcomes.insert(key, outcome);
                }
                Err(error) => match error.refusal() {
                    Some(message) => {
                        outcomes.insert(key, Outcome::Refused(message.to_owned()));
                    }
                    None => {
                        failed.get_or_insert(error);
                    }
                },
            }
        }
    }
    let wrote =
        outcomes.values().filter(|outcome| matches!(outcome, Outcome::Created | Outcome::Updated)).count();
    if wrote > 0 {
        let wrote = u64::try_from(wrote).unwrap_or(u64::MAX);
        metrics::counter!("isthmus_operator_child_writes_total").increment(wrote);
    }
    failed.map_or(Ok(Applied(outcomes)), Err)
}

fn place(mesh: &Mesh, (kind, name): &Key) -> Place {
    Place { resource: custom_resource(*kind), namespace: mesh.owner.namespace.clone(), name: name.clone() }
}

async fn remove(api: &Api, mesh: &Mesh, removal: Removal) -> Result<(), Error> {
    let place = place(mesh, &removal.key);
    let uid = if let Some(uid) = removal.uid {
        Some(uid)
    } else {
        let live = api.metadata(&place).await?.filter(|live| live.deletion_timestamp.is_none());
        let ours = live.filter(|live| controller(live).is_some_and(|(_, owner)| owner == mesh.owner.uid));
        ours.and_then(|live| live.uid)
    };
    match uid {
        Some(uid) => api.delete(&place, &uid).await,
        None => Ok(()),
    }
}

async fn write(api: &Api, members: &Members, mesh: &Mesh, wanted: Wanted) -> (Key, Result<Outcome, Error>) {
    let Wanted { key, body, digest, scaled } = wanted;
    let place = place(mesh, &key);
    let owner = mesh.owner.uid.as_str();
    let wanted =
        apply::Wanted { place: &place, owner, body, digest: &digest, absent: false, paused: mesh.paused };
    let keep = |body: &mut Object, live: &Object| {
        if let Some(bounds) = scaled {
            keep_replicas(body, live, bounds);
        }
    };
    let outcome = match wanted.bring(api, keep).await {
        Ok((outcome, seen)) => {
            if let Some(metadata) = seen {
                members.verify(&place.namespace, &key, &metadata, digest);
            }
            Ok(outcome)
        }
        Err(error) => Err(error),
    };
    (key, outcome)
}

/// What an autoscaler has chosen stays, but for new bounds. It may choose again while this is under way, so that what is written
/// counts only for the resource that was looked at.
fn keep_replicas(body: &mut Object, live: &Object, (least, most): (u64, u64)) {
    let chosen = live.get("spec").and_then(|spec| spec.get("replicas")).and_then(Value::as_u64);
    let version = live.get("metadata").and_then(|metadata| metadata.get("resourceVersion"));
    if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
        match chosen {
            // Stopped by a person, which no bound undoes.
            Some(0) => spec.insert("replicas".to_owned(), json!(0)),
            Some(chosen) => spec.insert("replicas".to_owned(), json!(chosen.max(least).min(most))),
            None => spec.remove("replicas"),
        };
    }
    if let (Some(metadata), Some(version)) =
        (body.get_mut("metadata").and_then(Value::as_object_mut), version)
    {
        metadata.insert("resourceVersion".to_owned(), version.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_autoscaler_chose_stays_within_the_bounds_of_the_mesh() {
        for (live, kept) in [
            (json!(7), json!(5)),
            (json!(3), json!(3)),
            (json!(1), json!(2)),
            (json!(0), json!(0)),
            (Value::Null, Value::Null),
        ] {
            let live = json!({"metadata": {"resourceVersion": "9"}, "spec": {"replicas": live}});
            let mut body = json!({"metadata": {}, "spec": {"replicas": 2}}).as_object().cloned().unwrap();
            keep_replicas(&mut body, live.as_object().unwrap(), (2, 5));
            assert_eq!(body["spec"].get("replicas").cloned().unwrap_or_default(), kept, "{live}");
            assert_eq!(body["metadata"]["resourceVersion"], "9");
        }
    }
}
