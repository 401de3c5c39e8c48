//! `AccessService`: who the caller is, API tokens, role bindings.

use std::time::Duration;

use isthmus_model::access::Binding;
use isthmus_model::name::PrincipalName;
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;
use isthmus_proto::access::v1 as wire;
use isthmus_proto::access::v1::access_service_server::AccessService;
use isthmus_proto::convert::time::timestamp;
use tonic::{Request, Response, Status};

use super::context::Context;
use crate::auth::{caller, principal};
use crate::status_code;
use crate::store::Command;
use crate::store::command::{ApiToken, ResourceChange, SecretHash};

/// What every API token starts with, so that scanners of leaked secrets recognise it.
const TOKEN_PREFIX: &str = "isthmus-api-";

/// `AccessService` over the store.
#[derive(Debug, Clone)]
pub struct Access(pub Context);

#[tonic::async_trait]
impl AccessService for Access {
    async fn who_am_i(
        &self,
        request: Request<wire::WhoAmIRequest>,
    ) -> Result<Response<wire::WhoAmIResponse>, Status> {
        let bindings = caller(&request)?.bindings()?;
        Ok(Response::new(wire::WhoAmIResponse {
            principal: principal(&request)?.into(),
            bindings: bindings.into_iter().map(Into::into).collect(),
        }))
    }

    async fn create_api_token(
        &self,
        request: Request<wire::CreateApiTokenRequest>,
    ) -> Result<Response<wire::CreateApiTokenResponse>, Status> {
        let admin = principal(&request)?;
        let wire::CreateApiTokenRequest { principal, ttl } = request.into_inner();
        let principal: PrincipalName =
            principal.parse().map_err(|error| status_code::invalid_name("principal", &error))?;
        let now = self.0.now();
        let expires_at = ttl.map(|ttl| end(now, ttl)).transpose()?;
        let (id, token) = draw();
        let record = ApiToken {
            id,
            hash: SecretHash::of(token.as_bytes()),
            principal,
            expires_at,
            created_at: now,
            revoked_at: None,
        };
        let shown = shown(&record);
        self.0.submit(&admin, Command::Resource(ResourceChange::CreateApiToken(record))).await?;
        Ok(Response::new(wire::CreateApiTokenResponse { token, record: Some(shown) }))
    }

    async fn list_api_tokens(
        &self,
        _request: Request<wire::ListApiTokensRequest>,
    ) -> Result<Response<wire::ListApiTokensResponse>, Status> {
        let good = |token: &&ApiToken| token.revoked_at.is_none();
        let tokens = self.0.read(|state| state.api_tokens().filter(good).map(shown).collect()).await?;
        Ok(Response::new(wire::ListApiTokensResponse { tokens }))
    }

    async fn revoke_api_token(
        &self,
        request: Request<wire::RevokeApiTokenRequest>,
    ) -> Result<Response<wire::RevokeApiTokenResponse>, Status> {
        let admin = principal(&request)?;
        let id = request.into_inner().id;
        self.0.submit(&admin, Command::Resource(ResourceChange::RevokeApiToken { id })).await?;
        Ok(Response::new(wire::RevokeApiTokenResponse {}))
    }

    async fn create_binding(
        &self,
        request: Request<wire::CreateBindingRequest>,
    ) -> Result<Response<wire::CreateBindingResponse>, Status> {
        let admin = principal(&request)?;
        let binding = binding(request.into_inner().binding)?;
        self.0.submit(&admin, Command::Resource(ResourceChange::PutBinding(binding))).await?;
        Ok(Response::new(wire::CreateBindingResponse {}))
    }

    async fn list_bindings(
        &self,
        _request: Request<wire::ListBindingsRequest>,
    ) -> Result<Response<wire::ListBindingsResponse>, Status> {
        let bindings = self.0.read(|state| state.bindings().map(Into::into).collect()).await?;
        Ok(Response::new(wire::ListBindingsResponse { bindings }))
    }

    async fn delete_binding(
        &self,
        request: Request<wire::DeleteBindingRequest>,
    ) -> Result<Response<wire::DeleteBindingResponse>, Status> {
        let admin = principal(&request)?;
        let binding = binding(request.into_inner().binding)?;
        self.0.submit(&admin, Command::Resource(ResourceChange::DeleteBinding(binding))).await?;
        Ok(Response::new(wire::DeleteBindingResponse {}))
    }
}

/// An id and the whole text of a new token. The id is no part of the secret: it is listed and logged.
fn draw() -> (String, String) {
    let id = hex::encode(rand::random::<[u8; 6]>());
    let token = format!("{TOKEN_PREFIX}{}", hex::encode(rand::random::<[u8; 32]>()));
    (id, token)
}

fn shown(token: &ApiToken) -> wire::ApiToken {
    wire::ApiToken {
        id: token.id.clone(),
        principal: token.principal.to_string(),
        create_time: Some(timestamp(token.created_at)),
        expire_time: token.expires_at.map(timestamp),
    }
}

/// When something ends that lives for so long from now.
pub(super) fn end(now: UnixMillis, ttl: prost_types::Duration) -> Result<UnixMillis, Status> {
    let shown = format!("{}s", ttl.seconds);
    let ttl = Duration::try_from(ttl).ok().filter(|ttl| !ttl.is_zero()).ok_or_else(|| {
        status_code::invalid_field("ttl", Reason::InvalidField, "it must be longer than nothing", &shown)
    })?;
    Ok(UnixMillis(now.0.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))))
}

fn binding(binding: Option<wire::Binding>) -> Result<Binding, Status> {
    let missing =
        || status_code::invalid_field("binding", Reason::MissingField, "say which binding is meant", "");
    Binding::try_from(binding.ok_or_else(missing)?).map_err(status_code::unreadable)
}
