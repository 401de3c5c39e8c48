//! Watching components: the log from any kept LogIndex, in order and without gaps, and statuses, latest only.
//!
//! Nothing is buffered for a watcher: it reads the log at its own pace, and one that falls behind what is kept is told so. So
//! a slow watcher costs a position.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use isthmus_model::access::Role;
use isthmus_model::component::ComponentKind;
use isthmus_model::name::{ClusterName, FullName, Uid};
use isthmus_model::order::LogIndex;
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1 as wire;
use isthmus_proto::component::v1::watch_response::Event;
use isthmus_proto::convert;
use prost::Message as _;
use tokio::sync::watch;
use tonic::{Request, Status};

use super::labels::LabelSelector;
use super::resource::{Components, Place, cluster};
use super::show::bare;
use crate::auth::Caller;
use crate::auth::caller;
use crate::status_code;
use crate::store::state::ComponentView;
use crate::store::{Command, Commit, Effect, Subscription};

/// Components of the first list that are read at once.
const PAGE: usize = 500;

/// Statuses that are told at once.
const STATUSES: usize = 500;

/// How often a watcher hears how far it has come, and is asked for its permission again.
const BOOKMARK: Duration = Duration::from_secs(10);

/// Events to a watcher.
pub(super) type Events = BoxStream<'static, Result<wire::WatchResponse, Status>>;

impl Components {
    pub(super) async fn watch(
        &self,
        kind: ComponentKind,
        request: Request<wire::WatchRequest>,
    ) -> Result<Events, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let place = Place::parse(&request.tenant, &request.namespace)?;
        if !request.name.is_empty() && place.namespace.is_none() {
            let rule = "a name needs its namespace";
            return Err(status_code::invalid_field("namespace", Reason::MissingField, rule, ""));
        }
        caller.holds(Role::Viewer, &place.scope())?;
        let labels = match request.label_selector.as_str() {
            "" => None,
            text => Some(LabelSelector::parse(text)?),
        };
        let cluster = cluster(&request.cluster)?;
        let from = LogIndex(request.from_log_index);
        let newest = self.context.read(crate::store::State::applied).await?;
        if from > newest {
            let message = format!(
                "LogIndex {from} is not reached yet, the newest is {newest}; list, and watch from there"
            );
            return Err(status_code::failed(Reason::Compacted, message));
        }
        let starts_with_list = from == LogIndex(0);
        let after = if starts_with_list { newest } else { from };
        let context = self.context.clone();
        let watcher = Watcher {
            subscription: self.context.store().subscribe(after),
            listing: starts_with_list.then(Listing::default),
            statuses: request.with_status.then(|| self.eyes.observed.versions()),
            status_version: self.eyes.observed.version(),
            components: self.clone(),
            queue: VecDeque::new(),
            bookmark: tokio::time::interval_at(tokio::time::Instant::now() + BOOKMARK, BOOKMARK),
            reached: after,
            filter: Filter { kind, place, name: request.name, labels, cluster },
            caller,
        };
        let events = stream::unfold(Some(watcher), |watcher| async move {
            let mut watcher = watcher?;
            match watcher.next().await {
                Ok(event) => Some((Ok(event), Some(watcher))),
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(context.endless(events))
    }
}

/// What a watcher wants to hear of.
struct Filter {
    kind: ComponentKind,
    place: Place,
    /// Only this one, unless empty.
    name: String,
    labels: Option<LabelSelector>,
    cluster: Option<ClusterName>,
}

impl Filter {
    /// Whether what is wanted may be wanted no more without being gone.
    fn is_selective(&self) -> bool {
        self.labels.is_some() || self.cluster.is_some()
    }

    /// Of what is wanted by its name: whether it is among those that are watched as it is now.
    fn selects(&self, view: &ComponentView<'_>) -> bool {
        let labels = &view.current().details.labels;
        self.labels.as_ref().is_none_or(|selector| selector.matches(labels))
            && self
                .cluster
                .as_ref()
                .is_none_or(|cluster| view.assignments().any(|assignment| assignment.cluster() == cluster))
    }

    fn wants(&self, kind: ComponentKind, name: &FullName) -> bool {
        kind == self.kind
            && self.place.holds(name)
            && (self.name.is_empty() || self.name == name.name.as_str())
    }
}

/// The first list, as far as it has come.
#[derive(Default)]
struct Listing {
    after: Option<FullName>,
    /// Components that were listed as they were after the list began: what the log says of them up to there is told already.
    ahead: HashMap<Uid, LogIndex>,
    complete: bool,
}

struct Watcher {
    components: Components,
    caller: Caller,
    filter: Filter,
    listing: Option<Listing>,
    subscription: Subscription,
    statuses: Option<watch::Receiver<u64>>,
    status_version: u64,
    queue: VecDeque<wire::WatchResponse>,
    bookmark: tokio::time::Interval,
    reached: LogIndex,
}

impl Watcher {
    async fn next(&mut self) -> Result<wire::WatchResponse, Status> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Ok(event);
            }
            if self.listing.as_ref().is_some_and(|listing| !listing.complete) {
                self.list().await?;
                continue;
            }
            let status_changed = async {
                match &mut self.statuses {
                    Some(statuses) => statuses.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            // Every arm is safe to drop: a commit that was not returned is not taken, and the others only wait.
            tokio::select! {
                biased;
                commit = self.subscription.next() => {
                    let commit = commit.map_err(|error| status_code::watch_ended(&error))?;
                    self.reached = commit.index;
                    self.tell(&commit)?;
                }
                _ = self.bookmark.tick() => {
                    self.caller.holds(Role::Viewer, &self.filter.place.scope())?;
                    self.queue.push_back(bookmark(self.reached));
                }
                going = status_changed => {
                    if !going {
                        self.statuses = None;
                    }
                    self.tell_statuses().await?;
                }
            }
        }
    }

    /// The next page of the first list.
    async fn list(&mut self) -> Result<(), Status> {
        let Some(listing) = &mut self.listing else { return Ok(()) };
        let (filter, eyes, began) = (&self.filter, &self.components.eyes, self.reached);
        let after = listing.after.take();
        let read = self.components.context.read(|state| {
            let place = &filter.place;
            let mut views = state.components(place.tenant.as_ref(), place.namespace.as_ref(), after.as_ref());
            let mut last = None;
            let mut page = Vec::new();
            for view in views.by_ref().take(PAGE) {
                let name = view.name();
                if filter.wants(view.kind(), &name) && filter.selects(&view) {
                    page.push(eyes.look(state, view));
                }
                last = Some(name);
            }
            (page, last)
        });
        let (page, last) = read.await?;
        listing.complete = last.is_none();
        listing.after = last;
        for seen in page {
            let at = seen.history.log_index;
            if at > began {
                listing.ahead.insert(seen.uid, at);
            }
            let added = Some(Event::Added(seen.into_message()?));
            self.queue.push_back(wire::WatchResponse { event: added, log_index: at.0 });
        }
        if listing.complete {
            self.queue.push_back(bookmark(began));
        }
        Ok(())
    }

    /// The events of one commit.
    fn tell(&mut self, commit: &Commit) -> Result<(), Status> {
        let mut told: Option<Uid> = None;
        for effect in &commit.effects {
            let event = match (effect, &commit.command) {
                (Effect::Created, Command::Write(write)) => {
                    told = Some(write.uid);
                    self.filter
                        .wants(write.kind, &write.name)
                        .then(|| self.written(write.uid, &write.spec, Event::Added))
                }
                (Effect::Updated { uid, .. }, Command::Write(write)) => {
                    told = Some(*uid);
                    self.filter
                        .wants(write.kind, &write.name)
                        .then(|| self.written(*uid, &write.spec, Event::Modified))
                }
                (Effect::Gone { uid, name, kind }, _) => {
                    let gone = || Ok(Some((*uid, Event::Deleted(bare(name, *kind, *uid)))));
                    self.filter.wants(*kind, name).then(gone)
                }
                (Effect::Placed { uid, .. } | Effect::Terminating { uid }, _) if told != Some(*uid) => {
                    Some(self.moved(*uid))
                }
                _ => None,
            };
            let Some((uid, event)) = event.transpose()?.flatten() else { continue };
            let ahead = self.listing.as_ref().and_then(|listing| listing.ahead.get(&uid));
            if ahead.is_some_and(|ahead| *ahead >= commit.index) && !matches!(event, Event::Deleted(_)) {
                continue;
            }
            self.queue.push_back(wire::WatchResponse { event: Some(event), log_index: commit.index.0 });
        }
        Ok(())
    }

    /// A spec that the commit itself brought, with the history of now where the component is still there.
    fn written(
        &self,
        uid: Uid,
        spec: &[u8],
        event: impl FnOnce(wire::Component) -> Event,
    ) -> Result<Option<(Uid, Event)>, Status> {
        let message = wire::Component::decode(spec)
            .map_err(|error| status_code::internal("read a stored component", &error))?;
        let message = convert::component::redact(message);
        let (eyes, filter) = (&self.components.eyes, &self.filter);
        let (seen, _) = self.components.context.store().peek(|state| {
            state.component_by_uid(uid).map(|view| (eyes.look(state, view), filter.selects(&view)))
        });
        let event = match seen {
            Some((seen, true)) => event(seen.dress(message)),
            Some((seen, false)) => Event::Deleted(seen.dress(message)),
            // Its end follows, and nobody knows any more whether it was among them.
            None if self.filter.is_selective() => return Ok(None),
            None => event(message),
        };
        Ok(Some((uid, event)))
    }

    /// A component whose spec is what it was. One that is gone by now needs no word: its end follows.
    fn moved(&self, uid: Uid) -> Result<Option<(Uid, Event)>, Status> {
        let (eyes, filter) = (&self.components.eyes, &self.filter);
        let (seen, _) = self.components.context.store().peek(|state| {
            let view = state.component_by_uid(uid)?;
            let wanted = filter.wants(view.kind(), &view.name());
            wanted.then(|| (eyes.look(state, view), filter.selects(&view)))
        });
        let Some((seen, selected)) = seen else { return Ok(None) };
        let event = if selected { Event::Modified } else { Event::Deleted };
        Ok(Some((uid, event(seen.into_message()?))))
    }

    async fn tell_statuses(&mut self) -> Result<(), Status> {
        let (uids, version) = self.components.eyes.observed.changed_since(self.status_version, STATUSES);
        if uids.len() == STATUSES
            && let Some(statuses) = &mut self.statuses
        {
            statuses.mark_changed();
        }
        self.status_version = version;
        let (eyes, filter) = (&self.components.eyes, &self.filter);
        let read = self.components.context.read(|state| {
            let wanted = uids.iter().filter_map(|uid| state.component_by_uid(*uid));
            let wanted =
                wanted.filter(|view| filter.wants(view.kind(), &view.name()) && filter.selects(view));
            (wanted.map(|view| eyes.look(state, view)).collect::<Vec<_>>(), state.applied())
        });
        let (seen, at) = read.await?;
        self.queue.extend(seen.into_iter().map(|seen| wire::WatchResponse {
            event: Some(Event::Status(seen.into_status())),
            log_index: at.0,
        }));
        Ok(())
    }
}

fn bookmark(at: LogIndex) -> wire::WatchResponse {
    wire::WatchResponse { event: Some(Event::Bookmark(at.0)), log_index: at.0 }
}
