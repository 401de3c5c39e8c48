//! Tokens and bindings.

use isthmus_model::order::UnixMillis;
use isthmus_proto::access::v1::{ApiToken, Binding, Role};
use isthmus_proto::convert::time;
use serde_json::{Value, json};

use super::{age, lean, moment};
use crate::output::{Column, Listing, Record};

const TOKENS: &[Column] =
    &[Column::text("ID"), Column::text("PRINCIPAL"), Column::text("EXPIRES"), Column::text("AGE")];

const BINDINGS: &[Column] =
    &[Column::text("PRINCIPAL"), Column::text("ROLE"), Column::text("SCOPE"), Column::text("EFFECT")];

/// All tokens.
pub(crate) fn tokens(tokens: &[ApiToken], now: UnixMillis, single: bool) -> Listing {
    Listing {
        columns: TOKENS,
        records: tokens.iter().map(|token| token_record(token, now)).collect(),
        single,
    }
}

fn token_record(token: &ApiToken, now: UnixMillis) -> Record {
    let ApiToken { id, principal, create_time, expire_time } = token;
    let expires = match expire_time.as_ref().map(time::unix_millis) {
        None => "never".to_owned(),
        Some(end) if end <= now => "expired".to_owned(),
        Some(end) => format!("in {}", super::span((end.0 - now.0) / 1000)),
    };
    let cells = vec![id.clone(), principal.clone(), expires, age(create_time.as_ref(), now)];
    Record { name: format!("token/{id}"), cells, value: token_value(token) }
}

pub(crate) fn token_value(token: &ApiToken) -> Value {
    let ApiToken { id, principal, create_time, expire_time } = token;
    lean(json!({
        "id": id,
        "principal": principal,
        "createdAt": moment(create_time.as_ref()),
        "expiresAt": moment(expire_time.as_ref()),
    }))
}

/// All bindings.
pub(crate) fn bindings(bindings: &[Binding]) -> Listing {
    Listing { columns: BINDINGS, records: bindings.iter().map(binding_record).collect(), single: false }
}

fn binding_record(binding: &Binding) -> Record {
    let Binding { principal, role: _, scope, deny } = binding;
    let effect = if *deny { "deny" } else { "allow" };
    let cells = vec![principal.clone(), role(binding).to_owned(), scope.clone(), effect.to_owned()];
    Record {
        name: format!("binding/{principal}/{}/{scope}", role(binding)),
        cells,
        value: binding_value(binding),
    }
}

pub(crate) fn binding_value(binding: &Binding) -> Value {
    let Binding { principal, role: _, scope, deny } = binding;
    lean(json!({"principal": principal, "role": role(binding), "scope": scope, "deny": deny}))
}

pub(crate) fn role(binding: &Binding) -> &'static str {
    match Role::try_from(binding.role) {
        Ok(Role::Viewer) => "viewer",
        Ok(Role::Developer) => "developer",
        Ok(Role::Operator) => "operator",
        Ok(Role::Admin) => "admin",
        Ok(Role::Unspecified) | Err(_) => "unknown",
    }
}
