//! Callers: nobody, holders of tokens, and what their bindings allow. The whole table of methods and roles is the gateway's own
//! golden file; here it is seen to be asked.

use anyhow::{Context, Result};
use isthmus_model::reason::Reason;
use isthmus_proto::access::v1::{
    Binding, CreateApiTokenRequest, CreateBindingRequest, RevokeApiTokenRequest, Role, WhoAmIRequest,
};
use isthmus_proto::cluster::v1::{CreateJoinTokenRequest, ListClustersRequest};
use isthmus_proto::component::v1::batch_item::Action;
use isthmus_proto::component::v1::batch_result::Outcome;
use isthmus_proto::component::v1::{BatchItem, BatchRequest, ListRequest, WatchRequest};
use isthmus_proto::failure::unembedded;
use isthmus_tests::fixture::{function, get};
use isthmus_tests::refusal::{of_status, refused};
use isthmus_tests::{Client, Federation};
use tonic::Code;

const FORBIDDEN: (Code, Reason) = (Code::PermissionDenied, Reason::Forbidden);
const UNKNOWN: (Code, Reason) = (Code::Unauthenticated, Reason::Unauthenticated);

async fn bind(federation: &Federation, principal: &str, role: Role, scope: &str, deny: bool) -> Result<()> {
    let binding = Binding { principal: principal.into(), role: role.into(), scope: scope.into(), deny };
    let request = CreateBindingRequest { binding: Some(binding) };
    federation.client().access().create_binding(request).await?;
    Ok(())
}

/// A client with a new token of this principal, and the token's id.
async fn caller(federation: &Federation, principal: &str) -> Result<(Client, String)> {
    let request = CreateApiTokenRequest { principal: principal.into(), ttl: None };
    let made = federation.client().access().create_api_token(request).await?.into_inner();
    let id = made.record.context("a record")?.id;
    Ok((federation.connection().token(&made.token)?, id))
}

#[tokio::test]
async fn nobody_known_may_do_nothing() -> Result<()> {
    let federation = Federation::builder().start().await?;
    for client in [federation.connection().anonymous()?, federation.connection().token("isthmus-none")?] {
        assert_eq!(refused(client.functions().list(ListRequest::default()).await), UNKNOWN);
        assert_eq!(refused(client.functions().create(function("f").create()).await), UNKNOWN);
        assert_eq!(refused(client.clusters().list_clusters(ListClustersRequest::default()).await), UNKNOWN);
        assert_eq!(refused(client.access().who_am_i(WhoAmIRequest {}).await), UNKNOWN);
    }
    federation.end().await
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() -> Result<()> {
    let federation = Federation::builder().start().await?;
    federation.client().functions().create(function("greet").create()).await?;
    bind(&federation, "vera", Role::Viewer, "*", false).await?;
    let (vera, id) = caller(&federation, "vera").await?;

    assert_eq!(vera.functions().list(ListRequest::default()).await?.into_inner().components.len(), 1);
    assert_eq!(vera.access().who_am_i(WhoAmIRequest {}).await?.into_inner().principal, "vera");
    assert_eq!(refused(vera.functions().create(function("f").create()).await), FORBIDDEN);
    assert_eq!(refused(vera.functions().apply(function("greet").replicas(2).apply()).await), FORBIDDEN);
    let token = CreateJoinTokenRequest { cluster: "east".into(), ..CreateJoinTokenRequest::default() };
    assert_eq!(refused(vera.clusters().create_join_token(token).await), FORBIDDEN);

    federation.client().access().revoke_api_token(RevokeApiTokenRequest { id }).await?;
    assert_eq!(refused(vera.functions().list(ListRequest::default()).await), UNKNOWN, "at once");
    federation.end().await
}

#[tokio::test]
async fn a_developer_of_one_tenant_sees_and_touches_no_other() -> Result<()> {
    let federation = Federation::builder().start().await?;
    federation.client().functions().create(function("secret").within("b", "n").create()).await?;
    bind(&federation, "dora", Role::Developer, "a", false).await?;
    let (dora, _) = caller(&federation, "dora").await?;
    let mut functions = dora.functions();

    functions.create(function("mine").within("a", "n").create()).await?;
    assert_eq!(refused(functions.create(function("theirs").within("b", "n").create()).await), FORBIDDEN);
    let mut secret = get("secret");
    secret.name.get_or_insert_default().tenant = "b".into();
    secret.name.get_or_insert_default().namespace = "n".into();
    assert_eq!(refused(functions.get(secret).await), FORBIDDEN);
    let of = |tenant: &str| ListRequest { tenant: tenant.into(), ..ListRequest::default() };
    assert_eq!(functions.list(of("a")).await?.into_inner().components.len(), 1);
    assert_eq!(refused(functions.list(of("b")).await), FORBIDDEN);
    assert_eq!(refused(functions.list(of("")).await), FORBIDDEN, "all tenants are not hers");
    let refusal = match functions.watch(WatchRequest { tenant: "b".into(), ..WatchRequest::default() }).await
    {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.expect_err("it is not hers to watch"),
    };
    assert_eq!(of_status(&refusal), FORBIDDEN);

    // Each item of a batch is asked for.
    let create = |sequence, tenant: &str| BatchItem {
        sequence,
        action: Some(Action::Create(function("batched").within(tenant, "n").build())),
        ..BatchItem::default()
    };
    let request = BatchRequest { items: vec![create(0, "a"), create(1, "b")] };
    let mut results = dora.batch().batch_once(request).await?.into_inner().results;
    results.sort_by_key(|result| result.sequence);
    let outcomes: Vec<_> = results.into_iter().filter_map(|result| result.outcome).collect();
    let [Outcome::Accepted(_), Outcome::Rejected(refusal)] = &outcomes[..] else {
        anyhow::bail!("hers is accepted, the other is not: {outcomes:?}")
    };
    assert_eq!(of_status(&unembedded(refusal)), FORBIDDEN);
    federation.end().await
}

#[tokio::test]
async fn a_deny_wins_over_what_is_allowed_around_it() -> Result<()> {
    let federation = Federation::builder().start().await?;
    bind(&federation, "dirk", Role::Developer, "a", false).await?;
    bind(&federation, "dirk", Role::Developer, "a/closed", true).await?;
    let (dirk, _) = caller(&federation, "dirk").await?;
    dirk.functions().create(function("f").within("a", "open").create()).await?;
    assert_eq!(
        refused(dirk.functions().create(function("f").within("a", "closed").create()).await),
        FORBIDDEN
    );
    federation.end().await
}
