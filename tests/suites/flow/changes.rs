//! Create, get, list, update, apply, delete.

use anyhow::Result;
use isthmus_model::reason::Reason;
use isthmus_proto::component::v1::{Change, CreateRequest, ListRequest, UpdateRequest};
use isthmus_tests::Federation;
use isthmus_tests::fixture::{delete, function, get, name, sink, source};
use isthmus_tests::refusal::refused;
use tonic::Code;

use super::{component, name_of, revision, uid};

#[tokio::test]
async fn a_function_is_created_read_changed_and_deleted() -> Result<()> {
    let federation = Federation::builder().agents(["east"]).start().await?;
    let mut functions = federation.client().functions();

    let created = functions.create(function("greet").create()).await?.into_inner();
    assert_eq!((created.change(), revision(component(&created))), (Change::Created, 1));
    let found = functions.get(get("greet")).await?.into_inner();
    assert_eq!(found.spec, component(&created).spec);
    assert_eq!(uid(&found), uid(component(&created)));

    let updated = functions.update(function("greet").output("elsewhere").update()).await?.into_inner();
    assert_eq!((updated.change(), revision(component(&updated))), (Change::Updated, 2));
    assert!(updated.log_index > created.log_index);
    assert_eq!(uid(component(&updated)), uid(&found), "an update is the same component");

    let deleted = functions.delete(delete("greet")).await?.into_inner();
    assert_eq!(deleted.change(), Change::Deleted);
    federation.until_gone(name("greet")).await?;

    let again = functions.create(function("greet").create()).await?.into_inner();
    assert_ne!(uid(component(&again)), uid(&found), "created again is another component");
    federation.end().await
}

#[tokio::test]
async fn an_apply_creates_then_updates_then_changes_nothing() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let mut sources = federation.client().sources();

    let greet = source("feed");
    let created = sources.apply(greet.apply()).await?.into_inner();
    assert_eq!(created.change(), Change::Created);
    let unchanged = sources.apply(greet.apply()).await?.into_inner();
    assert_eq!(unchanged.change(), Change::Unchanged);
    assert_eq!(unchanged.log_index, created.log_index, "an unchanged source makes no commit");
    let updated = sources.apply(greet.label("team", "data").apply()).await?.into_inner();
    assert_eq!(updated.change(), Change::Updated);
    federation.end().await
}

#[tokio::test]
async fn a_stale_revision_is_refused_and_the_current_one_is_taken() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let mut functions = federation.client().functions();
    functions.create(function("greet").create()).await?;
    functions.update(function("greet").replicas(2).at_revision(1).update()).await?;

    let stale = function("greet").replicas(3).at_revision(1);
    assert_eq!(refused(functions.update(stale.update()).await), (Code::Aborted, Reason::StaleRevision));
    assert_eq!(refused(functions.apply(stale.apply()).await), (Code::Aborted, Reason::StaleRevision));
    assert_eq!(revision(functions.get(get("greet")).await?.get_ref()), 2, "nothing was changed");
    functions.update(stale.at_revision(2).update()).await?;
    federation.end().await
}

#[tokio::test]
async fn a_name_is_taken_over_all_three_kinds() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let client = federation.client();
    client.functions().create(function("greet").create()).await?;

    let taken = (Code::AlreadyExists, Reason::NameTaken);
    assert_eq!(refused(client.sinks().create(sink("greet").create()).await), taken);
    assert_eq!(refused(client.sources().apply(source("greet").apply()).await), taken);
    let again = client.functions().create(function("greet").create()).await;
    assert_eq!(refused(again), (Code::AlreadyExists, Reason::AlreadyExists));
    assert_eq!(refused(client.sinks().get(get("greet")).await), (Code::NotFound, Reason::NotFound));
    // The same name in another namespace is another name.
    client.sinks().create(sink("greet").within("public", "other").create()).await?;
    federation.end().await
}

#[tokio::test]
async fn a_request_id_makes_a_retry_safe() -> Result<()> {
    let mut federation = Federation::builder().start().await?;
    let mut functions = federation.client().functions();
    let request = CreateRequest { request_id: "once".into(), ..function("greet").create() };

    let first = functions.create(request.clone()).await?.into_inner();
    let second = functions.create(request.clone()).await?.into_inner();
    assert_eq!(second.log_index, first.log_index);
    assert_eq!(uid(component(&second)), uid(component(&first)));

    federation.kill_gateway().await?;
    federation.resume_gateway().await?;
    let third = functions.create(request).await?.into_inner();
    assert_eq!((third.log_index, third.change()), (first.log_index, Change::Created), "it outlives a crash");

    let other = CreateRequest { request_id: "once".into(), ..function("other").create() };
    let (_, reason) = refused(functions.create(other).await);
    assert_eq!(reason, Reason::RequestIdReused);
    federation.end().await
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() -> Result<()> {
    let federation = Federation::builder().agents(["east"]).start().await?;
    let mut functions = federation.client().functions();

    let request = CreateRequest { dry_run: true, ..function("greet").create() };
    let planned = functions.create(request).await?.into_inner();
    let chosen = planned.explanation.map(|explanation| explanation.chosen).unwrap_or_default();
    assert_eq!((planned.change, chosen.len()), (Change::Created.into(), 1));
    assert_eq!(refused(functions.get(get("greet")).await), (Code::NotFound, Reason::NotFound));

    let created = functions.create(function("greet").create()).await?.into_inner();
    let request = UpdateRequest { dry_run: true, ..function("greet").replicas(3).update() };
    let planned = functions.update(request).await?.into_inner();
    let changed: Vec<_> = planned
        .changes
        .iter()
        .map(|change| (change.field.as_str(), change.before.as_str(), change.after.as_str()))
        .collect();
    assert_eq!(changed, [("spec.replicas", "1", "3")]);
    let found = functions.get(get("greet")).await?.into_inner();
    assert_eq!((revision(&found), &found.spec), (1, &component(&created).spec), "nothing was changed");
    federation.end().await
}

#[tokio::test]
async fn a_list_comes_in_pages_in_the_order_of_names() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let mut functions = federation.client().functions();
    for number in [3, 0, 4, 1, 2] {
        let team = if number % 2 == 0 { "even" } else { "odd" };
        functions.create(function(&format!("f{number}")).label("team", team).create()).await?;
    }

    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListRequest { page_size: 2, page_token, ..ListRequest::default() };
        let page = functions.list(request).await?.into_inner();
        assert!(page.components.len() <= 2);
        seen.extend(page.components.iter().map(|component| name_of(component).to_owned()));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["f0", "f1", "f2", "f3", "f4"]);

    let request = ListRequest { label_selector: "team in (odd)".into(), ..ListRequest::default() };
    let odd = functions.list(request).await?.into_inner().components;
    assert_eq!(odd.iter().map(name_of).collect::<Vec<_>>(), ["f1", "f3"]);
    let request = ListRequest { tenant: "elsewhere".into(), ..ListRequest::default() };
    assert_eq!(functions.list(request).await?.into_inner().components, []);
    federation.end().await
}
