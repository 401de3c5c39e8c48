//! Who gets in, as whom, and what they may do there.

mod tokens;
mod certificates;
mod roles;

use isthmus_agent::link::identity::FreshKey;
use isthmus_proto::sync::v1::JoinRequest;

/// What an agent sends that joins with this token.
fn joining(token: &str) -> JoinRequest {
    let key = FreshKey::generate().expect("a key");
    JoinRequest { token: token.to_owned(), csr: key.request.clone().into() }
}
