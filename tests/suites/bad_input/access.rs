//! Wrong calls about who may do what.

use anyhow::Result;
use isthmus_model::reason::Reason::{Forbidden, InvalidField, MissingField, NotFound, Unauthenticated};
use isthmus_proto::access::v1::{
    Binding, CreateApiTokenRequest, CreateBindingRequest, DeleteBindingRequest, RevokeApiTokenRequest, Role,
    WhoAmIRequest,
};
use isthmus_tests::fixture::function;
use tonic::Code;

use super::case::{Case, case, fields, run};
use super::setting::Setting;

fn binding(principal: &str, role: i32, scope: &str) -> Binding {
    Binding { principal: principal.into(), role, scope: scope.into(), deny: false }
}

#[tokio::test]
async fn every_wrong_call_about_access_is_refused_and_changes_nothing() -> Result<()> {
    let setting = Setting::new().await?;
    let Setting { admin, dev, nobody, federation, .. } = &setting;
    let made = admin
        .access()
        .create_api_token(CreateApiTokenRequest { principal: "gone".into(), ttl: None })
        .await?;
    let made = made.into_inner();
    let gone = federation.connection().token(&made.token)?;
    let id = made.record.unwrap_or_default().id;
    admin.access().revoke_api_token(RevokeApiTokenRequest { id }).await?;
    let unknown = federation.connection().token("isthmus-0123456789")?;

    let token = |principal: &str, ttl: Option<i64>| {
        let ttl = ttl.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        let request = CreateApiTokenRequest { principal: principal.into(), ttl };
        async move { admin.access().create_api_token(request).await.map(drop) }
    };
    let bind = |binding: Option<Binding>| {
        let request = CreateBindingRequest { binding };
        async move { admin.access().create_binding(request).await.map(drop) }
    };
    let developer = i32::from(Role::Developer);

    let cases: Vec<Case<'_>> = vec![
        fields("a token for nobody", &[(MissingField, "principal", "")], token("", None)),
        fields(
            "a token for a name that is none",
            &[(InvalidField, "principal", "\"a b\"")],
            token("a b", None),
        ),
        fields("a token that has ended", &[(InvalidField, "ttl", "0s")], token("ann", Some(0))),
        fields("a token that ended before", &[(InvalidField, "ttl", "-1s")], token("ann", Some(-1))),
        case("an end of a token that is not there", Code::NotFound, NotFound, async {
            admin.access().revoke_api_token(RevokeApiTokenRequest { id: "none".into() }).await.map(drop)
        }),
        fields("no binding", &[(MissingField, "binding", "")], bind(None)),
        fields(
            "a binding of nobody to nothing nowhere",
            &[
                (MissingField, "binding.role", ""),
                (MissingField, "binding.principal", ""),
                (MissingField, "binding.scope", ""),
            ],
            bind(Some(Binding::default())),
        ),
        fields(
            "a role nobody knows",
            &[(InvalidField, "binding.role", "99")],
            bind(Some(binding("ann", 99, "*"))),
        ),
        fields(
            "a scope of three parts",
            &[(InvalidField, "binding.scope", "\"a/b/c\"")],
            bind(Some(binding("ann", developer, "a/b/c"))),
        ),
        case("an end of a binding that is not there", Code::NotFound, NotFound, async {
            let request = DeleteBindingRequest { binding: Some(binding("ann", developer, "*")) };
            admin.access().delete_binding(request).await.map(drop)
        }),
        case("a binding by a developer, to more", Code::PermissionDenied, Forbidden, async {
            let request = CreateBindingRequest { binding: Some(binding("dev", Role::Admin.into(), "*")) };
            dev.access().create_binding(request).await.map(drop)
        }),
        case("who am I, asked by nobody", Code::Unauthenticated, Unauthenticated, async {
            nobody.access().who_am_i(WhoAmIRequest {}).await.map(drop)
        }),
        case("a token that was revoked", Code::Unauthenticated, Unauthenticated, async {
            gone.functions().create(function("f").create()).await.map(drop)
        }),
        case("a token that nobody made", Code::Unauthenticated, Unauthenticated, async {
            unknown.functions().create(function("f").create()).await.map(drop)
        }),
    ];
    run(admin, cases).await?;
    setting.end().await
}
