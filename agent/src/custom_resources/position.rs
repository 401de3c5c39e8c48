//! [client] Where in the gateway's history the share stands, kept in the cluster: one ConfigMap with epoch, LogIndex and digest.
//!
//! What is true of each component its custom resource says. What was acknowledged is in the inbox's file, on the volume that has
//! the agent's key anyway: an agent without it must join anew, and the gateway tells it everything again. What the file alone
//! knows then is how far this cluster had followed the gateway, and that is what is kept here, too: an agent with a new volume
//! refuses a gateway that was restored from an older backup as its predecessor would have. A whole second copy of the share in
//! the cluster would have to be kept equal to the file, and would say nothing more.

use std::time::Duration;

use isthmus_daemon::backoff::{self, Policy};
use isthmus_daemon::chain::Chain;
use isthmus_model::component::Object;
use isthmus_model::order::{Epoch, LogIndex};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::core::ApiResource;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::marks::{MANAGER, Share};
use crate::inbox::Handle;
use crate::inbox::change::Facts;
use crate::leader::Tenure;
use crate::operator::api::{Api, Error, Place};
use crate::target::DesiredHandle;

/// Between two writes, however fast the gateway is.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the position.
#[derive(Debug)]
pub(crate) struct Position {
    api: Api,
    place: Place,
    share: Share,
}

/// What the cluster was told last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reached {
    pub(crate) epoch: Epoch,
    pub(crate) log_index: LogIndex,
}

impl Position {
    pub(crate) fn new(client: Client, share: Share, namespace: String) -> Self {
        let resource = ApiResource::erase::<ConfigMap>(&());
        let place = Place { resource, namespace, name: format!("isthmus-share-{}", share.cluster) };
        // An agent with gateways is the only one of its cluster.
        Self { api: Api::new(client, Tenure::unbounded()), place, share }
    }

    /// How far an agent of this share has come; asked until the API server answers. Nothing where none has written it.
    pub(crate) async fn reached(&self) -> Reached {
        let mut delays = Policy::default().start(backoff::seed());
        loop {
            match self.read().await {
                Ok(data) => return data.map(|data| reached(&data)).unwrap_or_default(),
                Err(error) => wait(&error, delays.next_delay()).await,
            }
        }
    }

    /// Keeps what the inbox holds until `stop`.
    pub(crate) async fn keep(self, inbox: Handle, mut desired: DesiredHandle, stop: CancellationToken) {
        let work = async {
            let mut delays = Policy::default().start(backoff::seed());
            loop {
                let Ok(facts) = inbox.facts().await else { return };
                match self.write(&facts).await {
                    Ok(()) => {
                        delays.reset();
                        tokio::time::sleep(PAUSE).await;
                        if !desired.changed().await {
                            return;
                        }
                        // Marks it as seen.
                        desired.look(|_| ());
                    }
                    Err(error) => wait(&error, delays.next_delay()).await,
                }
            }
        };
        // A write that is cut off arrives or does not; the next start sees which.
        stop.run_until_cancelled(work).await;
    }

    /// Writes the facts unless they are there already, or the ConfigMap is somebody else's.
    async fn write(&self, facts: &Facts) -> Result<(), Error> {
        let Some(known) = self.read().await? else {
            tracing::warn!(
                "{} was made by somebody else, so that an agent with a new volume will not know how far this one has come; delete or rename it",
                self.place
            );
            return Ok(());
        };
        let data = data(facts);
        if known == data || reached(&known) > reached(&data) {
            return Ok(());
        }
        let body = json!({
            "apiVersion": self.place.resource.api_version,
            "kind": self.place.resource.kind,
            "metadata": {
                "name": self.place.name,
                "namespace": self.place.namespace,
                "annotations": self.share.annotations(),
            },
            "data": data,
        });
        let Value::Object(body) = body else { return Ok(()) };
        self.api.apply(&self.place, &body, MANAGER, true).await.map(drop)
    }

    /// Its data, empty where there is none; nothing where it is somebody else's.
    async fn read(&self) -> Result<Option<Object>, Error> {
        let Some(mut found) = self.api.get(&self.place).await? else { return Ok(Some(Object::new())) };
        let annotations = found.get("metadata").and_then(|metadata| metadata.get("annotations")).cloned();
        let annotations = annotations.and_then(|all| serde_json::from_value(all).ok());
        if !self.share.has(annotations.as_ref()) {
            return Ok(None);
        }
        match found.remove("data") {
            Some(Value::Object(data)) => Ok(Some(data)),
            _ => Ok(Some(Object::new())),
        }
    }
}

async fn wait(error: &Error, delay: Duration) {
    let problem = Chain(error).to_string();
    tracing::warn!(problem, "how far this cluster has come is kept in {delay:?}: {problem}");
    tokio::time::sleep(delay).await;
}

fn data(facts: &Facts) -> Object {
    let members = [
        ("epoch", facts.epoch.0.to_string()),
        ("logIndex", facts.log_index.0.to_string()),
        ("digest", facts.digest.to_string()),
    ];
    members.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect()
}

/// What is not a number was not written by an agent, and counts as nothing.
fn reached(data: &Object) -> Reached {
    let number = |key: &str| data.get(key).and_then(Value::as_str).and_then(|text| text.parse().ok());
    Reached {
        epoch: Epoch(number("epoch").unwrap_or_default()),
        log_index: LogIndex(number("logIndex").unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use isthmus_model::order::SetGeneration;
    use isthmus_model::set_digest::SetDigest;

    use super::*;
    use crate::inbox::change::HeldRemovals;

    #[test]
    fn what_is_written_reads_back_and_what_somebody_wrote_counts_as_nothing() {
        let facts = Facts {
            epoch: Epoch(3),
            log_index: LogIndex(70),
            set_generation: SetGeneration(5),
            digest: SetDigest::default(),
            settled: true,
            held: HeldRemovals::default(),
        };
        let written = data(&facts);
        assert_eq!(reached(&written), Reached { epoch: Epoch(3), log_index: LogIndex(70) });
        let mut broken = written;
        broken.insert("logIndex".to_owned(), "many".into());
        assert_eq!(reached(&broken), Reached { epoch: Epoch(3), log_index: LogIndex(0) });
    }
}
