//! Wrong calls of the services for functions, sources and sinks.

use anyhow::Result;
use isthmus_model::reason::Reason::{
    AlreadyExists, Compacted, ConflictingFields, Forbidden, InvalidField, MalformedDocument, MissingField,
    NameTaken, NotFound, PackageMissing, Pending, RequestIdReused, StaleRevision, TooLarge, Unauthenticated,
};
use isthmus_proto::common::v1::FullName;
use isthmus_proto::component::v1::{
    ApplyRequest, CreateRequest, DeleteRequest, ExplainRequest, GetRequest, Kind, ListRequest, LogsRequest,
    Mode, Operator, Requirement, UpdateRequest, WatchRequest,
};
use isthmus_tests::fixture::{Fixture, delete, function, get, name, package, sink, source};
use tonic::Code;

use super::case::{Case, case, fields, run};
use super::setting::{Setting, stored_package};

const NOWHERE: &str = "sha256:abababababababababababababababababababababababababababababababab";

#[tokio::test]
async fn every_wrong_change_of_a_component_is_refused_and_changes_nothing() -> Result<()> {
    let setting = Setting::new().await?;
    let Setting { admin, dev, viewer, stranger, nobody, stored, .. } = &setting;
    let mut id = function("known").create();
    id.request_id = "once".into();
    admin.functions().create(id.clone()).await?;
    let stored = stored_package(stored);

    let create = |request: CreateRequest| async move { admin.functions().create(request).await.map(drop) };
    let made = |fixture: Fixture| create(fixture.create());
    let update = |request: UpdateRequest| async move { admin.functions().update(request).await.map(drop) };
    let apply = |request: ApplyRequest| async move { admin.functions().apply(request).await.map(drop) };
    let end = |request: DeleteRequest| async move { admin.functions().delete(request).await.map(drop) };
    let rehearsed = |fixture: Fixture| CreateRequest { dry_run: true, ..fixture.create() };
    let other = CreateRequest { request_id: "once".into(), ..function("other").create() };
    let long = CreateRequest { request_id: "r".repeat(65), ..function("other").create() };
    let mut of_another_uid = delete("present");
    of_another_uid.uid = "00000000-0000-4000-8000-000000000000".into();
    let mut of_no_uid = delete("present");
    of_no_uid.uid = "first".into();
    let function_as_sink = CreateRequest {
        component: Some({
            let mut component = function("other").build();
            component.kind = Kind::Sink.into();
            component
        }),
        ..CreateRequest::default()
    };
    let negative_operator = Requirement { key: "region".into(), operator: 99, values: vec![] };
    let unsaid_operator =
        Requirement { key: "region".into(), operator: Operator::Unspecified.into(), values: vec![] };

    let cases: Vec<Case<'_>> = vec![
        fields("nothing to create", &[(MissingField, "component", "")], create(CreateRequest::default())),
        fields(
            "no name, runtime, input",
            &[
                (MissingField, "metadata.name", ""),
                (MissingField, "spec.input", ""),
                (MissingField, "spec.runtime", ""),
            ],
            create(CreateRequest { component: Some(<_>::default()), ..<_>::default() }),
        ),
        fields(
            "a sink in the service for functions",
            &[(ConflictingFields, "kind", "\"Sink\"")],
            create(function_as_sink),
        ),
        fields(
            "no input",
            &[(MissingField, "spec.input", "")],
            made(function("f").with(|spec| spec.input = None)),
        ),
        fields(
            "no runtime",
            &[(MissingField, "spec.runtime", "")],
            made(function("f").with(|spec| spec.runtime = None)),
        ),
        fields("no replicas", &[(InvalidField, "spec.replicas", "0")], made(function("f").replicas(0))),
        fields(
            "more replicas than can be counted",
            &[(InvalidField, "spec.replicas", "4294967295")],
            made(function("f").replicas(u32::MAX)),
        ),
        fields(
            "the output is the input",
            &[(ConflictingFields, "spec.output.topic", "\"persistent://public/default/same\"")],
            made(function("f").input("same").output("same")),
        ),
        fields(
            "a topic that is none",
            &[(InvalidField, "spec.output.topic", "\"http://x\"")],
            made(function("f").output("http://x")),
        ),
        fields(
            "a package that is not stored",
            &[(PackageMissing, "spec.runtime.package.location", &format!("\"{NOWHERE}\""))],
            made(function("f").go(stored_package(NOWHERE))),
        ),
        fields(
            "a tenant with a slash",
            &[(InvalidField, "metadata.tenant", "\"a/b\"")],
            made(function("f").within("a/b", "default")),
        ),
        fields(
            "a label that is none",
            &[(InvalidField, "metadata.labels[team]", "\"a b\"")],
            made(function("f").label("team", "a b")),
        ),
        fields(
            "a mode nobody knows",
            &[(InvalidField, "placement.mode", "99")],
            made(function("f").with_placement(|placement| placement.mode = 99)),
        ),
        fields(
            "an operator nobody knows",
            &[(InvalidField, "placement.clusters[0].operator", "99")],
            made(function("f").with_placement(|placement| placement.clusters.push(negative_operator))),
        ),
        fields(
            "an operator that is not said",
            &[(MissingField, "placement.clusters[0].operator", "")],
            made(function("f").with_placement(|placement| placement.clusters.push(unsaid_operator))),
        ),
        fields(
            "a divided function of one replica in two clusters",
            &[(ConflictingFields, "placement.minClusters", "2")],
            made(function("f").mode(Mode::Divided).with_placement(|placement| placement.min_clusters = 2)),
        ),
        fields(
            "a configuration that is no JSON",
            &[(MalformedDocument, "spec.userConfigJson", "")],
            made(function("f").with(|spec| spec.user_config_json = "{".into())),
        ),
        fields("a sink that runs on Go", &[(InvalidField, "spec.runtime", "\"go\"")], async {
            admin.sinks().create(sink("s").go(package("/pulsar/absent", "")).create()).await.map(drop)
        }),
        fields("a source that reads", &[(ConflictingFields, "spec.input", "")], async {
            let source = source("s").input("in").java(stored.clone(), "org.example.Source");
            admin.sources().create(source.create()).await.map(drop)
        }),
        fields(
            "wrong, and only rehearsed",
            &[(InvalidField, "spec.replicas", "0")],
            create(rehearsed(function("f").replicas(0))),
        ),
        case("there already", Code::AlreadyExists, AlreadyExists, made(function("present"))),
        case(
            "there already, and only rehearsed",
            Code::AlreadyExists,
            AlreadyExists,
            create(rehearsed(function("present"))),
        ),
        case("a name of another kind", Code::AlreadyExists, NameTaken, made(function("taken"))),
        case(
            "a name of another kind, to apply",
            Code::AlreadyExists,
            NameTaken,
            apply(function("taken").apply()),
        ),
        case(
            "a revision of long ago",
            Code::Aborted,
            StaleRevision,
            update(function("present").at_revision(1).update()),
        ),
        case(
            "a revision of the future",
            Code::Aborted,
            StaleRevision,
            apply(function("present").at_revision(9).apply()),
        ),
        case("a change of what is not there", Code::NotFound, NotFound, update(function("absent").update())),
        case("a request id with another content", Code::InvalidArgument, RequestIdReused, create(other)),
        fields("a request id that is too long", &[(TooLarge, "requestId", "")], create(long)),
        case("an end of what is not there", Code::NotFound, NotFound, end(delete("absent"))),
        case("an end of another kind", Code::NotFound, NotFound, end(delete("taken"))),
        case("an end of another creation", Code::NotFound, NotFound, end(of_another_uid)),
        fields(
            "an end of something without name",
            &[(MissingField, "name", "")],
            end(DeleteRequest::default()),
        ),
        fields("an end of a UID that is none", &[(InvalidField, "uid", "\"first\"")], end(of_no_uid)),
        case("a developer of another tenant", Code::PermissionDenied, Forbidden, async {
            dev.functions().create(function("f").create()).await.map(drop)
        }),
        case("a developer who rehearses in another tenant", Code::PermissionDenied, Forbidden, async {
            dev.functions().create(rehearsed(function("f"))).await.map(drop)
        }),
        case("a developer who ends what is another tenant's", Code::PermissionDenied, Forbidden, async {
            dev.functions().delete(delete("present")).await.map(drop)
        }),
        case("a viewer who creates", Code::PermissionDenied, Forbidden, async {
            viewer.functions().create(function("f").create()).await.map(drop)
        }),
        case("a stranger who creates", Code::PermissionDenied, Forbidden, async {
            stranger.functions().create(function("f").create()).await.map(drop)
        }),
        case("nobody who creates", Code::Unauthenticated, Unauthenticated, async {
            nobody.functions().create(function("f").create()).await.map(drop)
        }),
    ];
    run(admin, cases).await?;
    // The same request once more is no other content: it is answered as the first time.
    admin.functions().create(id).await?;
    setting.end().await
}

#[tokio::test]
async fn every_wrong_question_about_components_is_refused() -> Result<()> {
    let setting = Setting::new().await?;
    let Setting { admin, dev, stranger, .. } = &setting;
    let list = |request: ListRequest| async move { admin.functions().list(request).await.map(drop) };
    let watch = |request: WatchRequest| async move {
        let mut events = admin.functions().watch(request).await?.into_inner();
        events.message().await.map(drop)
    };
    let selecting = |selector: &str| list(ListRequest { label_selector: selector.into(), ..<_>::default() });
    let logs = |of: &str, cluster: &str| {
        let request = LogsRequest { name: Some(name(of)), cluster: cluster.into(), ..<_>::default() };
        async move { admin.functions().logs(request).await.map(drop) }
    };
    let nameless = GetRequest { name: Some(FullName { name: String::new(), ..name("") }) };
    let slashed = GetRequest { name: Some(FullName { tenant: "a/b".into(), ..name("present") }) };

    let cases: Vec<Case<'_>> = vec![
        case("what is not there", Code::NotFound, NotFound, async {
            admin.functions().get(get("absent")).await.map(drop)
        }),
        case("what is of another kind", Code::NotFound, NotFound, async {
            admin.functions().get(get("taken")).await.map(drop)
        }),
        fields("something without name", &[(MissingField, "name", "")], async {
            admin.functions().get(GetRequest::default()).await.map(drop)
        }),
        fields("something of an empty name", &[(MissingField, "name.name", "")], async {
            admin.functions().get(nameless).await.map(drop)
        }),
        fields("something of a tenant that is none", &[(InvalidField, "name.tenant", "\"a/b\"")], async {
            admin.functions().get(slashed).await.map(drop)
        }),
        case("why what is not there runs", Code::NotFound, NotFound, async {
            admin.functions().explain(ExplainRequest { name: Some(name("absent")) }).await.map(drop)
        }),
        case("logs of what is not there", Code::NotFound, NotFound, logs("absent", "")),
        case("logs of what runs nowhere", Code::FailedPrecondition, Pending, logs("present", "")),
        fields(
            "logs from a cluster in which it does not run",
            &[(InvalidField, "cluster", "\"east\"")],
            logs("present", "east"),
        ),
        fields(
            "a namespace without its tenant",
            &[(MissingField, "tenant", "")],
            list(ListRequest { namespace: "default".into(), ..<_>::default() }),
        ),
        fields(
            "a page that no list handed out",
            &[(InvalidField, "pageToken", "\"next\"")],
            list(ListRequest { page_token: "next".into(), ..<_>::default() }),
        ),
        fields(
            "a selector that is not closed",
            &[(InvalidField, "labelSelector", "\"zone in (a\"")],
            selecting("zone in (a"),
        ),
        fields(
            "a selector of a key that is none",
            &[(InvalidField, "labelSelector", "\"-zone=a\"")],
            selecting("-zone=a"),
        ),
        fields(
            "a cluster that no cluster can be",
            &[(InvalidField, "cluster", "\"East 1\"")],
            list(ListRequest { cluster: "East 1".into(), ..<_>::default() }),
        ),
        case("a list of all tenants by a developer of one", Code::PermissionDenied, Forbidden, async {
            dev.functions().list(ListRequest::default()).await.map(drop)
        }),
        case("a component of others", Code::PermissionDenied, Forbidden, async {
            dev.functions().get(get("present")).await.map(drop)
        }),
        case("a component, by a stranger", Code::PermissionDenied, Forbidden, async {
            stranger.functions().get(get("present")).await.map(drop)
        }),
        fields(
            "a watch of a namespace without its tenant",
            &[(MissingField, "tenant", "")],
            watch(WatchRequest { namespace: "default".into(), ..<_>::default() }),
        ),
        fields(
            "a watch of a name without its namespace",
            &[(MissingField, "namespace", "")],
            watch(WatchRequest { tenant: "public".into(), name: "present".into(), ..<_>::default() }),
        ),
        case(
            "a watch from the future",
            Code::OutOfRange,
            Compacted,
            watch(WatchRequest { from_log_index: u64::MAX, ..<_>::default() }),
        ),
    ];
    run(admin, cases).await?;
    setting.end().await
}
