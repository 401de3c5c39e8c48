//! `explain`: why a component runs where it runs, or why nowhere.

use isthmus_proto::common::v1::FullName;
use isthmus_proto::component::v1::ExplainRequest;

use super::{Context, word};
use crate::client::Bound;
use crate::error::Error;
use crate::output::Output;
use crate::view;

pub(super) async fn run(context: &Context<'_>, what: &[String]) -> Result<Output, Error> {
    let client = context.client().await?;
    let (kind, component) = context.component(&client, what).await?;
    let metadata = component.metadata.unwrap_or_default();
    let name = FullName { tenant: metadata.tenant, namespace: metadata.namespace, name: metadata.name };
    let doing = format!("explaining {} {}", word(kind), crate::selection::shown(&name));
    let answer =
        client.components(kind, Bound::Unary).explain(ExplainRequest { name: Some(name.clone()) }).await;
    let explanation = client.answer(doing, answer)?.explanation.unwrap_or_default();
    let mut lines = vec![format!("{}/{}", word(kind), name.name)];
    if !explanation.summary.is_empty() {
        lines.push(explanation.summary.clone());
    }
    lines.push(view::explanation::lines(&explanation, "  "));
    let text = lines.join("\n");
    Ok(Output::Text { text, value: view::explanation::value(&explanation) })
}
