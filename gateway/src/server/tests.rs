//! The whole gateway in this process: real TLS on loopback, a real log, and clients as anybody has them.

use std::pin::Pin;

use futures::Stream;
use isthmus_daemon::clock::SystemClock;
use isthmus_model::access::{Binding, Role, Scope};
use isthmus_model::name::PrincipalName;
use isthmus_model::order::UnixMillis;
use isthmus_proto::cluster::v1::CreateJoinTokenRequest;
use isthmus_proto::cluster::v1::cluster_service_client::ClusterServiceClient;
use isthmus_proto::common::v1::{FullName, Metadata};
use isthmus_proto::component::v1 as component;
use isthmus_proto::component::v1::function_service_client::FunctionServiceClient;
use isthmus_proto::component::v1::watch_response::Event;
use isthmus_proto::sync::v1 as sync;
use isthmus_proto::sync::v1::agent_frame::Frame as FromAgent;
use isthmus_proto::sync::v1::gateway_frame::Frame as ToAgent;
use isthmus_proto::sync::v1::join_service_client::JoinServiceClient;
use isthmus_proto::sync::v1::sync_service_client::SyncServiceClient;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceExt as _;

use super::*;
use crate::store::command::ResourceChange;
use crate::store::{Command, Submission};

struct Gateway {
    address: SocketAddr,
    roots: Certificate,
    admin: Identity,
    tasks: Tasks,
    readiness: Readiness,
    _data: TempDir,
}

impl Gateway {
    async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    async fn start_with(adjust: impl FnOnce(&mut Config)) -> Self {
        tls::install_crypto_provider();
        let data = tempfile::tempdir().unwrap();
        let mut config = Config { data: data.path().to_owned(), ..Config::default() };
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        adjust(&mut config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (authority, root) = Authority::create(&config.federation, clock.now()).unwrap();
        std::fs::write(config.root_certificate(), &root.certificate_pem).unwrap();
        std::fs::write(config.root_key(), &root.key_pem).unwrap();
        let admin = PrincipalName::new("ann").unwrap();
        let keyed = authority.client(&admin, clock.now()).unwrap();
        bind(&config, admin, clock.clone()).await;
        let tasks = Tasks::new();
        let readiness = Readiness::new();
        let composed = Box::pin(compose(config, tasks.clone(), readiness.clone(), clock));
        let address = composed.await.unwrap();
        Self {
            address,
            roots: Certificate::from_pem(&root.certificate_pem),
            admin: Identity::from_pem(pem(&keyed.issued.chain[0]), keyed.key_pem),
            tasks,
            readiness,
            _data: data,
        }
    }

    async fn channel(&self, identity: Option<Identity>) -> Channel {
        let mut tls = ClientTlsConfig::new().ca_certificate(self.roots.clone()).domain_name("localhost");
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        let endpoint = Channel::from_shared(format!("https://{}", self.address)).unwrap();
        endpoint.tls_config(tls).unwrap().connect().await.unwrap()
    }

    async fn functions(&self) -> FunctionServiceClient<Channel> {
        FunctionServiceClient::new(self.channel(Some(self.admin.clone())).await)
    }

    async fn stop(self) {
        for stage in Stage::ALL {
            self.tasks.stop(stage).await;
        }
        assert_eq!(self.tasks.remaining(), Vec::<String>::new());
    }
}

async fn bind(config: &Config, admin: PrincipalName, clock: Arc<dyn Clock>) {
    let engine = SqliteEngine::open(&config.store_dir()).unwrap();
    let (store, writer) = store::open(engine, clock, config.store).unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let binding =
        Binding { principal: admin.clone(), role: Role::Admin, scope: Scope::Federation, deny: false };
    let command = Command::Resource(ResourceChange::PutBinding(binding));
    let submission = Submission { principal: admin, time: UnixMillis::default(), request: None, command };
    let ask = async {
        store.submit(submission).await.unwrap();
        stop.cancel();
    };
    let ((), written) = tokio::join!(ask, writer.run(stop.clone()));
    written.unwrap();
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn function(name: &str) -> component::Component {
    let package =
        component::Package { file: "f.py".into(), location: "builtin://f".into(), digest: Vec::new() };
    let runtime = component::PythonRuntime { package: Some(package), log: None };
    let topics = [("persistent://public/default/in".to_owned(), component::ConsumerConfig::default())];
    component::Component {
        metadata: Some(Metadata { name: name.to_owned(), ..Metadata::default() }),
        spec: Some(Box::new(component::Spec {
            class_name: "f.F".into(),
            runtime: Some(component::spec::Runtime::Python(runtime)),
            input: Some(component::Input { topics: topics.into(), ..component::Input::default() }),
            ..component::Spec::default()
        })),
        ..component::Component::default()
    }
}

fn create(name: &str) -> component::CreateRequest {
    component::CreateRequest { component: Some(function(name)), ..component::CreateRequest::default() }
}

fn named(name: &str) -> FullName {
    FullName { tenant: "public".into(), namespace: "default".into(), name: name.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_created_is_got_listed_and_watched() {
    let gateway = Gateway::start().await;
    let mut functions = gateway.functions().await;
    let created = functions.create(create("greet")).await.unwrap().into_inner();
    assert_eq!(created.change(), component::Change::Created);
    let got = functions.get(component::GetRequest { name: Some(named("greet")) }).await.unwrap().into_inner();
    assert_eq!(Some(&got), created.component.as_ref());
    assert_eq!(got.status.unwrap().phase, "Parked");
    let listed = functions.list(component::ListRequest::default()).await.unwrap().into_inner();
    assert_eq!((listed.components.len(), listed.log_index), (1, created.log_index));

    let watch = component::WatchRequest::default();
    let mut events = functions.watch(watch).await.unwrap().into_inner();
    let mut next = async || events.message().await.unwrap().unwrap().event.unwrap();
    assert!(
        matches!(next().await, Event::Added(function) if function.metadata.as_ref().unwrap().name == "greet")
    );
    assert!(matches!(next().await, Event::Bookmark(at) if at == created.log_index));
    functions.create(create("other")).await.unwrap();
    assert!(
        matches!(next().await, Event::Added(function) if function.metadata.as_ref().unwrap().name == "other")
    );
    let delete =
        component::DeleteRequest { name: Some(named("other")), ..component::DeleteRequest::default() };
    functions.delete(delete).await.unwrap();
    assert!(
        matches!(next().await, Event::Deleted(function) if function.metadata.as_ref().unwrap().name == "other")
    );

    // From a LogIndex on, the same history again.
    let watch =
        component::WatchRequest { from_log_index: created.log_index, ..component::WatchRequest::default() };
    let mut events = functions.watch(watch).await.unwrap().into_inner();
    assert!(matches!(events.message().await.unwrap().unwrap().event, Some(Event::Added(_))));
    assert!(matches!(events.message().await.unwrap().unwrap().event, Some(Event::Deleted(_))));
    // Open watches do not hold up the end.
    gateway.stop().await;
    assert_eq!(events.message().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_credential_or_a_wrong_one_is_refused() {
    let gateway = Gateway::start().await;
    let channel = gateway.channel(None).await;
    let mut functions = FunctionServiceClient::new(channel);
    let refused = functions.create(create("greet")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut request = Request::new(component::ListRequest::default());
    request.metadata_mut().insert("authorization", "Bearer guess".parse().unwrap());
    assert_eq!(functions.list(request).await.unwrap_err().code(), Code::Unauthenticated);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_with_several_faults_is_told_all_of_them_and_nothing_is_written() {
    let gateway = Gateway::start().await;
    let mut functions = gateway.functions().await;
    let mut wrong = function("no spaces here");
    wrong.spec.as_mut().unwrap().input = None;
    let request = component::CreateRequest { component: Some(wrong), ..component::CreateRequest::default() };
    let refused = functions.create(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let failure = isthmus_proto::failure::Failure::from(&refused);
    let fields: Vec<&str> = failure.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert!(fields.contains(&"metadata.name") && fields.len() >= 2, "{fields:?}");
    let listed = functions.list(component::ListRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.log_index, 1);
    gateway.stop().await;
}

/// An agent's identity, from a token.
async fn join(gateway: &Gateway) -> (Identity, String) {
    let mut clusters = ClusterServiceClient::new(gateway.channel(Some(gateway.admin.clone())).await);
    let request = CreateJoinTokenRequest { cluster: "east".into(), ..CreateJoinTokenRequest::default() };
    let token = clusters.create_join_token(request).await.unwrap().into_inner().token;
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    let mut desk = JoinServiceClient::new(gateway.channel(None).await);
    let request = sync::JoinRequest { token: token.clone(), csr: csr.into() };
    let joined = desk.join(request.clone()).await.unwrap().into_inner();
    assert_eq!(joined.cluster, "east");
    let again = desk.join(request).await.unwrap_err();
    assert_eq!(
        isthmus_proto::failure::Failure::from(&again).reason,
        Some(isthmus_model::reason::Reason::TokenUsed)
    );
    (Identity::from_pem(pem(&joined.chain[0]), key.serialize_pem()), token)
}

type Outbound = Pin<Box<dyn Stream<Item = sync::AgentFrame> + Send>>;

fn frames(first: FromAgent) -> (tokio::sync::mpsc::Sender<sync::AgentFrame>, Outbound) {
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    sender.try_send(sync::AgentFrame { frame: Some(first) }).unwrap();
    (sender, Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_joins_once_is_welcomed_and_is_an_agent_and_nothing_else() {
    let gateway = Gateway::start().await;
    let (identity, _token) = join(&gateway).await;
    let channel = gateway.channel(Some(identity)).await;
    let mut functions = FunctionServiceClient::new(channel.clone());
    let refused = functions.list(component::ListRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    let mut agent = SyncServiceClient::new(channel);
    let (_sender, outbound) = frames(FromAgent::Hello(sync::Hello::default()));
    let mut inbound = agent.session(outbound).await.unwrap().into_inner();
    let welcome = inbound.message().await.unwrap().unwrap().frame;
    assert!(matches!(&welcome, Some(ToAgent::Welcome(welcome)) if welcome.cluster == "east"), "{welcome:?}");
    assert!(
        matches!(inbound.message().await.unwrap().unwrap().frame, Some(ToAgent::Delta(delta)) if delta.last)
    );
    gateway.stop().await;
    assert!(matches!(inbound.message().await.unwrap().unwrap().frame, Some(ToAgent::Redirect(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_a_cluster_ends_its_session_and_its_certificate() {
    let gateway = Gateway::start().await;
    let (identity, _token) = join(&gateway).await;
    let mut agent = SyncServiceClient::new(gateway.channel(Some(identity)).await);
    let (_sender, outbound) = frames(FromAgent::Hello(sync::Hello::default()));
    let mut inbound = agent.session(outbound).await.unwrap().into_inner();
    inbound.message().await.unwrap().unwrap();
    let mut clusters = ClusterServiceClient::new(gateway.channel(Some(gateway.admin.clone())).await);
    let revoke = isthmus_proto::cluster::v1::RevokeClusterRequest { cluster: "east".into() };
    clusters.revoke_cluster(revoke).await.unwrap();
    let ended = loop {
        match inbound.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
    let (_sender, outbound) = frames(FromAgent::Hello(sync::Hello::default()));
    assert_eq!(agent.session(outbound).await.unwrap_err().code(), Code::Unauthenticated);
    gateway.stop().await;
}

/// A call as a browser makes it for a page of `origin`.
fn of_a_page(origin: &str, method: http::Method) -> http::request::Builder {
    let list = "https://localhost/isthmus.component.v1.FunctionService/List";
    http::Request::builder().method(method).uri(list).header("origin", origin)
}

async fn ask(gateway: &Gateway, request: http::Request<Body>) -> http::Response<Body> {
    gateway.channel(None).await.oneshot(request).await.unwrap()
}

fn header<'r>(response: &'r http::Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_lets_pages_of_configured_origins_call_and_no_others() {
    const PORTAL: &str = "https://portal.example.com";
    let gateway = Gateway::start_with(|config| {
        config.web.origins = vec![PORTAL.to_owned().try_into().unwrap()];
    })
    .await;
    let preflight = |origin: &str| {
        of_a_page(origin, http::Method::OPTIONS)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,x-grpc-web")
            .body(Body::empty())
            .unwrap()
    };
    let answer = ask(&gateway, preflight(PORTAL)).await;
    assert_eq!(answer.status(), http::StatusCode::OK);
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(PORTAL));
    assert_eq!(header(&answer, "access-control-allow-methods"), Some("POST"));
    let allowed = header(&answer, "access-control-allow-headers").unwrap();
    assert!(
        ["authorization", "content-type", "x-grpc-web"].iter().all(|name| allowed.contains(name)),
        "{allowed}"
    );

    // What follows the question is let in by nothing but its token, and the page can read why it was not.
    let call = of_a_page(PORTAL, http::Method::POST).header("content-type", "application/grpc-web+proto");
    let refused = ask(&gateway, call.body(Body::empty()).unwrap()).await;
    assert_eq!(header(&refused, "grpc-status"), Some("16"));
    assert_eq!(header(&refused, "access-control-allow-origin"), Some(PORTAL));
    assert!(header(&refused, "access-control-expose-headers").unwrap().contains("grpc-status-details-bin"));

    let stranger = ask(&gateway, preflight("https://portal.example.org")).await;
    assert_eq!(header(&stranger, "access-control-allow-origin"), None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_configured_origins_no_page_of_another_origin_may_call() {
    let gateway = Gateway::start().await;
    let preflight = of_a_page("https://portal.example.com", http::Method::OPTIONS)
        .header("access-control-request-method", "POST")
        .body(Body::empty())
        .unwrap();
    let answer = ask(&gateway, preflight).await;
    assert_eq!(header(&answer, "access-control-allow-origin"), None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_says_so_when_the_gateway_begins_to_stop_and_holds_up_no_end() {
    let gateway = Gateway::start().await;
    let mut health = HealthClient::new(gateway.channel(None).await);
    let service = "isthmus.component.v1.FunctionService".to_owned();
    let mut told = Vec::new();
    for service in [String::new(), service] {
        let watched = health.watch(HealthCheckRequest { service }).await.unwrap().into_inner();
        told.push(watched);
    }
    for told in &mut told {
        while told.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}
    }
    gateway.readiness.shutting_down();
    for told in &mut told {
        assert_eq!(told.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    }
    let asked = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(asked.status(), ServingStatus::NotServing);
    gateway.stop().await;
    for told in &mut told {
        assert_eq!(told.message().await.unwrap_err().code(), Code::Unavailable);
    }
}

fn labelled(name: &str, labels: &[(&str, &str)]) -> component::Component {
    let mut function = function(name);
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    function.metadata.as_mut().unwrap().labels = labels.collect();
    function
}

fn apply(component: component::Component) -> component::ApplyRequest {
    component::ApplyRequest { component: Some(component), ..component::ApplyRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_with_a_selector_tells_what_comes_into_the_selection_and_what_leaves_it() {
    let gateway = Gateway::start().await;
    let mut functions = gateway.functions().await;
    Box::pin(functions.apply(apply(labelled("shop", &[("app", "shop")])))).await.unwrap();
    functions.apply(apply(labelled("other", &[]))).await.unwrap();
    let watch =
        component::WatchRequest { label_selector: "app=shop".into(), ..component::WatchRequest::default() };
    let mut events = functions.watch(watch).await.unwrap().into_inner();
    let mut next = async || events.message().await.unwrap().unwrap().event.unwrap();
    let named = |function: &component::Component| function.metadata.as_ref().unwrap().name.clone();
    assert!(matches!(next().await, Event::Added(function) if named(&function) == "shop"));
    assert!(matches!(next().await, Event::Bookmark(_)));
    Box::pin(functions.apply(apply(labelled("other", &[("app", "shop")])))).await.unwrap();
    assert!(matches!(next().await, Event::Modified(function) if named(&function) == "other"));
    Box::pin(functions.apply(apply(labelled("shop", &[("app", "bank")])))).await.unwrap();
    assert!(
        matches!(next().await, Event::Deleted(function) if named(&function) == "shop" && function.status.is_some()),
        "it is there, and not among those that are watched"
    );
    // Of two clusters that nobody has joined, nothing runs on either.
    let watch = component::WatchRequest { cluster: "east".into(), ..component::WatchRequest::default() };
    let mut elsewhere = functions.watch(watch).await.unwrap().into_inner();
    assert!(matches!(elsewhere.message().await.unwrap().unwrap().event, Some(Event::Bookmark(_))));
    let wrong =
        component::WatchRequest { label_selector: "app in".into(), ..component::WatchRequest::default() };
    assert_eq!(functions.watch(wrong).await.unwrap_err().code(), Code::InvalidArgument);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_say_since_when_they_hold() {
    let gateway = Gateway::start().await;
    let mut functions = gateway.functions().await;
    let created = functions.create(create("greet")).await.unwrap().into_inner().component.unwrap();
    let metadata = created.metadata.unwrap();
    assert_eq!(metadata.delete_time, None);
    let conditions = created.status.unwrap().conditions;
    let kinds: Vec<&str> = conditions.iter().map(|condition| condition.r#type.as_str()).collect();
    assert_eq!(kinds, ["Placed", "Ready"]);
    for condition in &conditions {
        assert_eq!(condition.last_transition_time, metadata.create_time, "{}", condition.r#type);
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_cluster_without_a_session_it_is_shown_what_is_known() {
    let gateway = Gateway::start().await;
    let (identity, _token) = join(&gateway).await;
    let mut clusters = ClusterServiceClient::new(gateway.channel(Some(gateway.admin.clone())).await);
    let east = || isthmus_proto::cluster::v1::GetClusterRequest { name: "east".into() };
    let before = clusters.get_cluster(east()).await.unwrap().into_inner();
    assert_eq!((before.last_seen_time, before.acknowledged_set_generation), (None, None));
    assert_eq!(before.health_time, before.join_time, "it is disconnected since it joined");

    let mut agent = SyncServiceClient::new(gateway.channel(Some(identity)).await);
    let (sender, outbound) = frames(FromAgent::Hello(sync::Hello::default()));
    let mut inbound = agent.session(outbound).await.unwrap().into_inner();
    let delta = loop {
        if let Some(ToAgent::Delta(delta)) = inbound.message().await.unwrap().unwrap().frame {
            break delta;
        }
    };
    let (nonce, set_generation, digest) = (delta.nonce, delta.to_set_generation, delta.digest);
    let ack = sync::Ack { nonce, set_generation, digest, ..sync::Ack::default() };
    sender.send(sync::AgentFrame { frame: Some(FromAgent::Ack(ack)) }).await.unwrap();
    // The session ends when the agent has no more to say.
    drop(sender);
    while let Ok(Some(_)) = inbound.message().await {}
    let after = clusters.get_cluster(east()).await.unwrap().into_inner();
    assert!(after.last_seen_time.is_some());
    assert_eq!(after.acknowledged_set_generation, Some(set_generation));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_taint_leaves_the_labels_as_they_were_and_a_right_one_costs_one_commit() {
    let gateway = Gateway::start().await;
    let (_identity, _token) = join(&gateway).await;
    let mut clusters = ClusterServiceClient::new(gateway.channel(Some(gateway.admin.clone())).await);
    let update = |key: &str| isthmus_proto::cluster::v1::UpdateClusterRequest {
        cluster: "east".into(),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        taints: vec![isthmus_proto::cluster::v1::Taint {
            key: key.into(),
            value: String::new(),
            effect: component::TaintEffect::NoPlace.into(),
        }],
    };
    let list = isthmus_proto::cluster::v1::ListClustersRequest::default();
    let before = clusters.list_clusters(list.clone()).await.unwrap().into_inner();
    let refused = clusters.update_cluster(update("no key")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(clusters.list_clusters(list.clone()).await.unwrap().into_inner(), before);
    let updated = clusters.update_cluster(update("gpu")).await.unwrap().into_inner();
    assert_eq!((updated.labels.len(), updated.taints.len()), (1, 1));
    assert_eq!(updated.log_index, before.log_index + 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_components_of_a_text_share_commits_in_their_order_and_each_has_its_own_result() {
    use isthmus_proto::component::v1::manifest_service_client::ManifestServiceClient;
    let gateway = Gateway::start().await;
    let mut manifests = ManifestServiceClient::new(gateway.channel(Some(gateway.admin.clone())).await);
    let document = |name: &str, kind: &str| {
        let spec = "spec: {className: f.F, runtime: {type: java, package: {location: 'builtin://f'}}";
        let input = if kind == "Source" { "output: {topic: t}}" } else { "input: {topics: {in: {}}}}" };
        format!("apiVersion: isthmus.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{spec}, {input}\n")
    };
    let mut documents: Vec<String> = (0..300).map(|n| document(&format!("f{n}"), "Function")).collect();
    // The name is taken, and what comes after it is applied all the same.
    let mut functions = gateway.functions().await;
    functions.create(create("taken")).await.unwrap();
    documents.push(document("taken", "Source"));
    documents.push(document("last", "Function"));
    let request = component::ApplyManifestRequest {
        manifest: documents.join("---\n").into_bytes(),
        ..component::ApplyManifestRequest::default()
    };
    let results = manifests.apply_manifest(request).await.unwrap().into_inner().results;
    assert_eq!(results.len(), 302);
    let index = |at: usize| match &results[at].outcome {
        Some(component::manifest_result::Outcome::Change(change)) => Some(change.log_index),
        _ => None,
    };
    assert_eq!(index(300), None);
    let indices: Vec<u64> = (0..302).filter(|at| *at != 300).map(|at| index(at).unwrap()).collect();
    assert!(indices.is_sorted(), "{indices:?}");
    gateway.stop().await;
}
