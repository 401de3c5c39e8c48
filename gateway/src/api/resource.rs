//! Functions, sources and sinks: one way for all of them, and everything in which they differ is a [`ComponentKind`].
//!
//! ```text
//! request ▶ prepare (read, admit, encode) ▶ may the caller? ▶ store ▶ show
//! ```

use isthmus_model::access::{Role, Scope};
use isthmus_model::component::{Component, ComponentKind};
use isthmus_model::name::{ClusterName, FullName, Namespace, PrincipalName, Tenant};
use isthmus_model::order::Revision;
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1 as wire;
use isthmus_proto::convert;
use tonic::{Request, Status};

use super::context::{Context, page_size};
use super::labels::LabelSelector;
use super::prepare::{self, Prepared};
use super::show::{Eyes, Seen};
use super::{difference, explain};
use crate::auth::Caller;
use crate::auth::caller;
use crate::status_code;
use crate::store::command::{Delete, Write, WriteMode};
use crate::store::state::ComponentView;
use crate::store::{Change, Command, Outcome, Preview, Rejection, State, Submission};
use crate::sync::stream::Sessions;

/// Components looked at under one hold of the store's lock.
const GLANCE: usize = 1000;

/// Functions, sources and sinks.
#[derive(Debug, Clone)]
pub struct Components {
    pub(super) context: Context,
    pub(super) eyes: Eyes,
}

impl Components {
    /// Over the store, with statuses from what the sessions heard.
    pub fn new(context: Context, sessions: &Sessions) -> Self {
        let eyes = Eyes { observed: sessions.observed.clone(), registry: sessions.registry.clone() };
        Self { context, eyes }
    }

    pub(super) async fn create(
        &self,
        kind: ComponentKind,
        request: Request<wire::CreateRequest>,
    ) -> Result<wire::ChangeResponse, Status> {
        let caller = caller(&request)?;
        let wire::CreateRequest { component, request_id, dry_run } = request.into_inner();
        let prepared = self.prepare(component, Some(kind), |_| WriteMode::Create)?;
        self.write(&caller, prepared, &request_id, dry_run).await
    }

    pub(super) async fn update(
        &self,
        kind: ComponentKind,
        request: Request<wire::UpdateRequest>,
    ) -> Result<wire::ChangeResponse, Status> {
        let caller = caller(&request)?;
        let wire::UpdateRequest { component, request_id, dry_run } = request.into_inner();
        let prepared = self.prepare(component, Some(kind), WriteMode::Update)?;
        self.write(&caller, prepared, &request_id, dry_run).await
    }

    pub(super) async fn apply(
        &self,
        kind: ComponentKind,
        request: Request<wire::ApplyRequest>,
    ) -> Result<wire::ChangeResponse, Status> {
        let caller = caller(&request)?;
        let wire::ApplyRequest { component, request_id, dry_run } = request.into_inner();
        let prepared = self.prepare(component, Some(kind), WriteMode::Apply)?;
        self.write(&caller, prepared, &request_id, dry_run).await
    }

    pub(super) async fn delete(
        &self,
        kind: ComponentKind,
        request: Request<wire::DeleteRequest>,
    ) -> Result<wire::ChangeResponse, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (dry_run, request_id) = (request.dry_run, request.request_id.clone());
        let delete = deletion(request, kind)?;
        self.end(&caller, delete, &request_id, dry_run).await
    }

    pub(super) async fn get(
        &self,
        kind: ComponentKind,
        request: Request<wire::GetRequest>,
    ) -> Result<wire::Component, Status> {
        let caller = caller(&request)?;
        let name = prepare::name(request.into_inner().name)?;
        may(&caller, Role::Viewer, &name)?;
        let seen =
            self.context.read(|state| find(state, kind, &name).map(|view| self.eyes.look(state, view)));
        seen.await?.ok_or_else(|| missing(kind, &name))?.into_message()
    }

    pub(super) async fn list(
        &self,
        kind: ComponentKind,
        request: Request<wire::ListRequest>,
    ) -> Result<wire::ListResponse, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let place = Place::parse(&request.tenant, &request.namespace)?;
        caller.holds(Role::Viewer, &place.scope())?;
        let labels = LabelSelector::parse(&request.label_selector)?;
        let cluster = cluster(&request.cluster)?;
        let wanted = |view: &ComponentView<'_>| {
            view.kind() == kind
                && labels.matches(&view.current().details.labels)
                && cluster
                    .as_ref()
                    .is_none_or(|cluster| view.assignments().any(|share| share.cluster() == cluster))
        };
        let mut after: Option<FullName> = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|error| status_code::invalid_name("pageToken", &error))?),
        };
        let limit = page_size(request.page_size);
        let (mut page, mut read_at, mut more) = (Vec::new(), None, true);
        // Several short looks rather than a long one: a thing that changes between two of them is told by a watch from the
        // LogIndex of the first.
        while more && page.len() < limit {
            let glance = self.context.read(|state| {
                let mut views =
                    state.components(place.tenant.as_ref(), place.namespace.as_ref(), after.as_ref());
                let (mut seen, mut last, mut looked) = (Vec::new(), None, 0);
                while looked < GLANCE && page.len() + seen.len() < limit {
                    let Some(view) = views.next() else { return (state.applied(), seen, last, false) };
                    looked += 1;
                    if wanted(&view) {
                        seen.push(self.eyes.look(state, view));
                    }
                    last = Some(view.name());
                }
                let more = views.next().is_some();
                (state.applied(), seen, last, more)
            });
            let (applied, seen, last, left) = glance.await?;
            read_at.get_or_insert(applied);
            page.extend(seen);
            after = last.or(after);
            more = left;
        }
        Ok(wire::ListResponse {
            components: page.into_iter().map(Seen::into_message).collect::<Result<_, _>>()?,
            next_page_token: after.filter(|_| more).map(|name| name.to_string()).unwrap_or_default(),
            log_index: read_at.unwrap_or_default().0,
        })
    }

    pub(super) async fn explain(
        &self,
        kind: ComponentKind,
        request: Request<wire::ExplainRequest>,
    ) -> Result<wire::ExplainResponse, Status> {
        let caller = caller(&request)?;
        let name = prepare::name(request.into_inner().name)?;
        may(&caller, Role::Viewer, &name)?;
        let read = self.context.read(|state| {
            let view = find(state, kind, &name)?;
            let explanation = explain::explanation(view.explain(state), state.applied(), Some(view));
            Some((explanation, self.eyes.look(state, view)))
        });
        let (explanation, seen) = read.await?.ok_or_else(|| missing(kind, &name))?;
        Ok(wire::ExplainResponse { explanation: Some(explanation), component: Some(seen.into_message()?) })
    }

    /// Admits a component of a request.
    pub(super) fn prepare(
        &self,
        component: Option<wire::Component>,
        kind: Option<ComponentKind>,
        mode: impl FnOnce(Option<Revision>) -> WriteMode,
    ) -> Result<Prepared, Status> {
        let missing =
            || status_code::invalid_field("component", Reason::MissingField, "it must be given", "");
        prepare::message(self.context.store(), component.ok_or_else(missing)?, kind, mode)
    }

    /// Writes an admitted component, or says what would become of it.
    pub(super) async fn write(
        &self,
        caller: &Caller,
        prepared: Prepared,
        request_id: &str,
        dry_run: bool,
    ) -> Result<wire::ChangeResponse, Status> {
        let Prepared { write, shown } = prepared;
        let principal = may(caller, Role::Developer, &write.name)?;
        if dry_run {
            return self.rehearse(&write, shown).await;
        }
        let (name, kind) = (write.name.clone(), write.kind);
        let (outcome, seen) = self.submit(principal, request_id, Command::Write(write), kind, name).await?;
        answer(outcome, seen, Some(shown))
    }

    /// Asks for a component's end, or says whether that could be.
    pub(super) async fn end(
        &self,
        caller: &Caller,
        delete: Delete,
        request_id: &str,
        dry_run: bool,
    ) -> Result<wire::ChangeResponse, Status> {
        let principal = may(caller, Role::Developer, &delete.name)?;
        let (name, kind) = (delete.name.clone(), delete.kind);
        if dry_run {
            let (found, at) = self.context.store().peek(|state| {
                find(state, kind, &name)
                    .filter(|view| delete.uid.is_none_or(|uid| uid == view.uid()))
                    .map(|view| self.eyes.look(state, view))
            });
            let component = found.ok_or_else(|| missing(kind, &name))?.into_message()?;
            let change = wire::Change::Deleted.into();
            return Ok(wire::ChangeResponse {
                change,
                log_index: at.0,
                component: Some(component),
                ..wire::ChangeResponse::default()
            });
        }
        let (outcome, seen) = self.submit(principal, request_id, Command::Delete(delete), kind, name).await?;
        answer(outcome, seen, None)
    }

    /// Changes a component, and looks at what that left of it.
    async fn submit(
        &self,
        principal: PrincipalName,
        request_id: &str,
        command: Command,
        kind: ComponentKind,
        name: FullName,
    ) -> Result<(Outcome, Option<Seen>), Status> {
        let request = prepare::request_id(&principal, request_id)?;
        let submission = Submission { principal, time: self.context.now(), request, command };
        let eyes = self.eyes.clone();
        let look = move |state: &State, _: &[_]| find(state, kind, &name).map(|view| eyes.look(state, view));
        let (mut answers, seen) = self.context.store().submit_all_and_look(vec![submission], look).await;
        let answer = answers.pop().unwrap_or_else(|| Err(Rejection::unavailable()));
        Ok((answer.map_err(status_code::rejected)?, seen.flatten()))
    }

    /// What would become of a write: the same decisions, told instead of made.
    async fn rehearse(&self, write: &Write, shown: wire::Component) -> Result<wire::ChangeResponse, Status> {
        let time = self.context.now();
        let read = self.context.read(|state| {
            let preview = state.preview(time, write)?;
            let before = state.component(&write.name);
            let spec = before.map(|view| view.current().spec.clone());
            let sealed = before.and_then(|view| view.current().details.sealed.clone());
            let Preview { change, report } = preview;
            let explanation = explain::explanation(report, state.applied(), before);
            Ok((change, explanation, (spec, sealed), state.applied()))
        });
        let (change, explanation, (before, sealed), at) = read.await?.map_err(status_code::rejected)?;
        let decode = |bytes: &[u8]| {
            convert::component::decode(bytes)
                .map_err(|error| status_code::internal("read a stored component", &error))
        };
        let before: Option<Component> = before.map(|bytes| decode(&bytes)).transpose()?;
        let after = decode(&write.spec)?;
        let mut changes = difference::changes(before.as_ref(), Some(&after));
        changes.extend(difference::sealed(sealed.as_deref(), write.sealed.as_deref()));
        let change = match change {
            Change::Created { .. } => wire::Change::Created,
            Change::Updated { .. } => wire::Change::Updated,
            Change::Unchanged { .. } | Change::Nothing | Change::Done => wire::Change::Unchanged,
            Change::Deleted { .. } => wire::Change::Deleted,
        };
        Ok(wire::ChangeResponse {
            change: change.into(),
            log_index: at.0,
            component: Some(shown),
            explanation: Some(explanation),
            changes,
            warnings: Vec::new(),
        })
    }
}

/// The answer to a change: the component as the change left it, from the message at hand where that is what was written.
pub(super) fn answer(
    outcome: Outcome,
    seen: Option<Seen>,
    shown: Option<wire::Component>,
) -> Result<wire::ChangeResponse, Status> {
    let (change, revision) = match outcome.change {
        Change::Created { .. } => (wire::Change::Created, Some(Revision(1))),
        Change::Updated { revision, .. } => (wire::Change::Updated, Some(revision)),
        Change::Unchanged { revision, .. } => (wire::Change::Unchanged, Some(revision)),
        Change::Deleted { .. } => (wire::Change::Deleted, None),
        Change::Done | Change::Nothing => (wire::Change::Unspecified, None),
    };
    let component = match (seen, shown) {
        (Some(seen), Some(shown)) if Some(seen.history.revision) == revision => Some(seen.dress(shown)),
        (Some(seen), _) => Some(seen.into_message()?),
        // It is gone already: nothing of it ran anywhere.
        (None, shown) => shown,
    };
    Ok(wire::ChangeResponse {
        change: change.into(),
        log_index: outcome.index.0,
        component,
        ..wire::ChangeResponse::default()
    })
}

/// A component of a kind: a sink is not found among the functions.
pub(super) fn find<'s>(state: &'s State, kind: ComponentKind, name: &FullName) -> Option<ComponentView<'s>> {
    state.component(name).filter(|view| view.kind() == kind)
}

/// A part of the federation: all of it, a tenant, or a namespace.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) tenant: Option<Tenant>,
    pub(super) namespace: Option<Namespace>,
}

impl Place {
    pub(super) fn parse(tenant: &str, namespace: &str) -> Result<Self, Status> {
        if tenant.is_empty() && !namespace.is_empty() {
            let rule = "a namespace needs its tenant";
            return Err(status_code::invalid_field("tenant", Reason::MissingField, rule, ""));
        }
        let wrong = |field| move |error| status_code::invalid_name(field, &error);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Self {
            tenant: some(tenant).map(|text| Tenant::new(&text)).transpose().map_err(wrong("tenant"))?,
            namespace: some(namespace)
                .map(|text| Namespace::new(&text))
                .transpose()
                .map_err(wrong("namespace"))?,
        })
    }

    pub(super) fn scope(&self) -> Scope {
        match (self.tenant.clone(), self.namespace.clone()) {
            (Some(tenant), Some(namespace)) => Scope::Namespace(tenant, namespace),
            (Some(tenant), None) => Scope::Tenant(tenant),
            (None, _) => Scope::Federation,
        }
    }

    pub(super) fn holds(&self, name: &FullName) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == name.tenant)
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == name.namespace)
    }
}

/// The cluster that a request asks for, if it asks for one.
pub(super) fn cluster(name: &str) -> Result<Option<ClusterName>, Status> {
    let wrong = |error| status_code::invalid_name("cluster", &error);
    (!name.is_empty()).then(|| name.parse().map_err(wrong)).transpose()
}

/// Whether a caller has a role where a component is, and under which name.
pub(super) fn may(caller: &Caller, role: Role, name: &FullName) -> Result<PrincipalName, Status> {
    let scope = Scope::Namespace(name.tenant.clone(), name.namespace.clone());
    caller.holds(role, &scope)?;
    let nobody = || status_code::failed(Reason::Unauthenticated, "this call needs a credential");
    caller.principal().cloned().ok_or_else(nobody)
}

/// A deletion out of a request.
pub(super) fn deletion(request: wire::DeleteRequest, kind: ComponentKind) -> Result<Delete, Status> {
    let uid = match request.uid.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|error| status_code::invalid_name("uid", &error))?),
    };
    Ok(Delete { name: prepare::name(request.name)?, kind, uid, revision: None })
}

pub(super) fn missing(kind: ComponentKind, name: &FullName) -> Status {
    let kind = kind.as_str().to_lowercase();
    status_code::failed(
        Reason::NotFound,
        format!("there is no {kind} {name}; list them to see what there is"),
    )
}
