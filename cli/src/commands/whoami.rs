//! `whoami`: who the gateway takes the caller for.

use isthmus_proto::access::v1::WhoAmIRequest;
use serde_json::json;

use super::Context;
use crate::client::Bound;
use crate::error::Error;
use crate::output::Output;
use crate::view;

pub(super) async fn run(context: &Context<'_>) -> Result<Output, Error> {
    let client = context.client().await?;
    let answer = client.access(Bound::Unary).who_am_i(WhoAmIRequest {}).await;
    let caller = client.answer("asking who the caller is", answer)?;
    let mut lines = vec![caller.principal.clone()];
    for binding in &caller.bindings {
        let word = if binding.deny { "denied " } else { "" };
        lines.push(format!("  {word}{} in {}", view::access::role(binding), binding.scope));
    }
    if caller.bindings.is_empty() {
        lines.push("  no roles".to_owned());
    }
    let bindings: Vec<_> = caller.bindings.iter().map(view::access::binding_value).collect();
    Ok(Output::said(lines.join("\n"), json!({"principal": caller.principal, "bindings": bindings})))
}
