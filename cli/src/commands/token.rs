//! `token …`.

use std::time::Duration;

use isthmus_proto::access::v1::{CreateApiTokenRequest, RevokeApiTokenRequest};
use isthmus_proto::convert::time;
use serde_json::json;

use super::{Context, get};
use crate::args::{Resource, Token};
use crate::client::{Bound, Client};
use crate::error::Error;
use crate::output::{self, Output};
use crate::view;

pub(super) async fn run(context: &Context<'_>, args: Token) -> Result<Output, Error> {
    let client = context.client().await?;
    match args {
        Token::Create { principal, ttl } => create(&client, principal, ttl).await,
        Token::List => Ok(Output::Listings(vec![get::other(&client, Resource::Tokens, &[], "").await?])),
        Token::Revoke { id } => {
            let answer =
                client.access(Bound::Unary).revoke_api_token(RevokeApiTokenRequest { id: id.clone() }).await;
            client.answer(format!("revoking token {id}"), answer)?;
            Ok(Output::said(format!("token/{id} revoked"), json!({"id": id, "revoked": true})))
        }
    }
}

async fn create(client: &Client, principal: String, ttl: Option<Duration>) -> Result<Output, Error> {
    let doing = format!("making a token for {principal}");
    let request = CreateApiTokenRequest { principal, ttl: ttl.map(time::duration) };
    let answer = client.answer(doing, client.access(Bound::Unary).create_api_token(request).await)?;
    let record = answer.record.unwrap_or_default();
    output::say(&format!("token {} speaks for {}; it is not shown again", record.id, record.principal));
    // Only the token goes to standard output, so that it can be piped to where it is needed.
    let value = json!({"token": answer.token, "record": view::access::token_value(&record)});
    Ok(Output::said(answer.token, value))
}
