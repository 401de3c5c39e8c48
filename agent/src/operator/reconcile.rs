//! One pass over one custom resource: the five stages in their order.
//!
//! A pass takes no hint of why it runs: running it again changes nothing.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use isthmus_model::component::{ComponentKind, Object};
use kube::runtime::controller::Action;
use serde_json::Value;

use super::api::{self, Api};
use super::apply::{self, Prepared, apply};
use super::build::{build, names};
use super::child::{ChildKind, CustomKind};
use super::children::{Children, Key};
use super::config::Config;
use super::controller::Reconciles;
use super::dereference::{References, dereference};
use super::fresh::Fresh;
use super::retry::Retries;
use super::status::{self, Outlook};
use super::validate::{Validated, validate};

/// What is pointed at and not there may come, and what is in the way may go: nobody tells, so it is looked for.
pub(super) const MISSING: Duration = Duration::from_secs(10);

/// Something that runs between the stages; tests put trouble there.
pub type Between = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// What the passes of one controller share.
pub(super) struct Context {
    pub(super) kind: ComponentKind,
    pub(super) api: Api,
    pub(super) config: Config,
    pub(super) fresh: Fresh,
    pub(super) children: Children,
    pub(super) references: References,
    pub(super) retries: Retries,
    pub(super) between: Option<Between>,
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The resource could not be read, or what it points at.
    #[error("cannot look up what the resource needs")]
    Dereference(#[source] api::Error),
    /// A child could not be read or written.
    #[error("cannot make the children what they shall be")]
    Apply(#[source] api::Error),
    /// The status could not be written.
    #[error("cannot write the status")]
    Status(#[source] api::Error),
    /// A stage panicked.
    #[error("a stage panicked: {0}")]
    Panicked(String),
}

impl Reconciles for Context {
    fn kind(&self) -> CustomKind {
        self.kind.into()
    }

    fn concurrency(&self) -> u16 {
        self.config.concurrency
    }

    fn retries(&self) -> &Retries {
        &self.retries
    }

    fn fresh(&self) -> &Fresh {
        &self.fresh
    }

    fn pass<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Action, Error>> {
        pass(self, namespace, name).boxed()
    }
}

/// One pass. A panic in it is an error of this resource and of no other.
pub(super) async fn guarded(
    retries: &Retries,
    namespace: &str,
    name: &str,
    pass: impl Future<Output = Result<Action, Error>>,
) -> Result<Action, Error> {
    let result = match AssertUnwindSafe(pass).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(Error::Panicked(words(&*panic))),
    };
    let outcome = if result.is_ok() { "done" } else { "failed" };
    metrics::counter!("isthmus_operator_passes_total", "outcome" => outcome).increment(1);
    if result.is_ok() {
        retries.forget(&(namespace.to_owned(), name.to_owned()));
    }
    result
}

async fn pass(context: &Context, namespace: &str, name: &str) -> Result<Action, Error> {
    let Context { kind, api, config, fresh, children, references, between, .. } = context;
    let found = dereference(api, (fresh, references), *kind, namespace, name).await;
    let found = found.map_err(Error::Dereference)?;
    let Some(dereferenced) = found else { return Ok(Action::await_change()) };
    if let Some(between) = between {
        between(namespace, name);
    }
    let owner = &dereferenced.owner;
    let resource = Value::Object(dereferenced.resource.clone());
    let validated = match validate(owner.clone(), resource, &config.pods) {
        Ok(validated) => validated,
        Err(error) => {
            let status = status::status(&dereferenced, Outlook::Invalid(&error));
            status::write(api, &dereferenced, &status).await.map_err(Error::Status)?;
            return Ok(Action::await_change());
        }
    };
    let changed = status::observed_generation(&dereferenced.resource) != Some(dereferenced.generation);
    let prepared = Prepared {
        owner,
        children: build(&validated, &config.pods),
        paused: dereferenced.paused && !changed,
        // Of a first generation there is nothing from before.
        changed: changed && dereferenced.generation != 1,
        replicas: undefined_replicas(&validated, &dereferenced.resource),
    };
    let applied = apply(api, children, prepared).await.map_err(Error::Apply)?;
    count(&applied);
    let key = Key { kind: ChildKind::StatefulSet, namespace: namespace.to_owned(), name: names::base(owner) };
    let known = children.known(&key);
    let outlook = Outlook::Applied {
        applied: &applied,
        replicas: validated.component.spec.replicas,
        stateful_set: known.as_ref(),
    };
    let status = status::status(&dereferenced, outlook);
    if status::write(api, &dereferenced, &status).await.map_err(Error::Status)? {
        metrics::counter!("isthmus_operator_status_writes_total").increment(1);
    }
    let waits = dereferenced.missing.is_some() || applied.is_hindered();
    let again = if waits { MISSING } else { config.resync };
    Ok(Action::requeue(again))
}

/// The number for a resource that has an autoscaler and does not say any.
fn undefined_replicas(validated: &Validated, resource: &Object) -> Option<u32> {
    let spec = &validated.component.spec;
    let said = resource.get("spec").and_then(|spec| spec.get("replicas")).is_some();
    (spec.max_replicas.is_some() && !said).then_some(spec.replicas)
}

fn count(applied: &apply::Applied) {
    let wrote = u64::try_from(applied.wrote()).unwrap_or(u64::MAX);
    if wrote > 0 {
        metrics::counter!("isthmus_operator_child_writes_total").increment(wrote);
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it said nothing".to_owned())
}
