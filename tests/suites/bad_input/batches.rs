//! Wrong items of a batch, and batches that are too large.

use anyhow::Result;
use isthmus_model::reason::Reason::{
    AlreadyExists, Forbidden, InvalidField, MissingField, RequestIdReused, StaleRevision, TooLarge,
    TooManyInFlight,
};
use isthmus_proto::component::v1::batch_item::Action;
use isthmus_proto::component::v1::batch_result::Outcome;
use isthmus_proto::component::v1::{BatchItem, BatchRequest, Component, DeleteRequest, Kind};
use isthmus_proto::failure::unembedded;
use isthmus_tests::Client;
use isthmus_tests::fixture::{delete, function};
use tonic::{Code, Status};

use super::case::{Case, case, fields, run};
use super::setting::Setting;

/// Sends one item, and makes a failed call of its refusal.
async fn alone(client: &Client, item: BatchItem) -> Result<(), Status> {
    let answer = client.batch().batch_once(BatchRequest { items: vec![item] }).await?.into_inner();
    match answer.results.into_iter().find_map(|result| result.outcome) {
        Some(Outcome::Rejected(status)) => Err(unembedded(&status)),
        _ => Ok(()),
    }
}

fn item(action: Action) -> BatchItem {
    BatchItem { sequence: 7, request_id: String::new(), action: Some(action) }
}

fn kindless(component: Component) -> Component {
    Component { kind: Kind::Unspecified.into(), ..component }
}

#[tokio::test]
async fn every_wrong_item_of_a_batch_is_refused_and_changes_nothing() -> Result<()> {
    let setting = Setting::new().await?;
    let Setting { admin, dev, viewer, .. } = &setting;
    let mut first = item(Action::Create(function("known").build()));
    first.request_id = "once".into();
    alone(admin, first.clone()).await?;
    let reused = BatchItem { action: Some(Action::Create(function("other").build())), ..first.clone() };
    let long = BatchItem { request_id: "r".repeat(65), ..first };
    let nothing = BatchItem { sequence: 1, ..BatchItem::default() };
    let crowd = BatchRequest { items: vec![BatchItem::default(); 4097] };
    let kindless_end = DeleteRequest { kind: Kind::Unspecified.into(), ..delete("present") };
    let small = || function("f").replicas(0).build();

    let cases: Vec<Case<'_>> = vec![
        fields("an item of nothing", &[(MissingField, "action", "")], alone(admin, nothing)),
        fields(
            "a component of no kind",
            &[(MissingField, "kind", "")],
            alone(admin, item(Action::Create(kindless(function("f").build())))),
        ),
        fields(
            "an end of no kind",
            &[(MissingField, "delete.kind", "")],
            alone(admin, item(Action::Delete(kindless_end))),
        ),
        fields(
            "a wrong component to create",
            &[(InvalidField, "spec.replicas", "0")],
            alone(admin, item(Action::Create(small()))),
        ),
        fields(
            "a wrong component to update",
            &[(InvalidField, "spec.replicas", "0")],
            alone(admin, item(Action::Update(small()))),
        ),
        fields(
            "a wrong component to apply",
            &[(InvalidField, "spec.replicas", "0")],
            alone(admin, item(Action::Apply(small()))),
        ),
        case(
            "there already",
            Code::AlreadyExists,
            AlreadyExists,
            alone(admin, item(Action::Create(function("present").build()))),
        ),
        case(
            "a revision of long ago",
            Code::Aborted,
            StaleRevision,
            alone(admin, item(Action::Update(function("present").at_revision(1).build()))),
        ),
        case(
            "a request id with another content",
            Code::InvalidArgument,
            RequestIdReused,
            alone(admin, reused),
        ),
        fields("a request id that is too long", &[(TooLarge, "requestId", "")], alone(admin, long)),
        case(
            "an item in a tenant of others",
            Code::PermissionDenied,
            Forbidden,
            alone(dev, item(Action::Create(function("f").build()))),
        ),
        case(
            "an item of a viewer",
            Code::PermissionDenied,
            Forbidden,
            alone(viewer, item(Action::Create(function("f").build()))),
        ),
        case("too many items", Code::ResourceExhausted, TooManyInFlight, async {
            admin.batch().batch_once(crowd).await.map(drop)
        }),
    ];
    run(admin, cases).await?;
    setting.end().await
}
