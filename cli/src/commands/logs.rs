//! `logs`: what an instance writes, as it wrote it.

use isthmus_proto::common::v1::FullName;
use isthmus_proto::component::v1::LogsRequest;

use super::{Context, word};
use crate::args::Logs;
use crate::client::Bound;
use crate::error::Error;
use crate::output::{self, Output};

pub(super) async fn run(context: &Context<'_>, args: Logs) -> Result<Output, Error> {
    let Logs { what, follow, tail, cluster, instance } = args;
    let client = context.client().await?;
    let (kind, component) = context.component(&client, &what).await?;
    let metadata = component.metadata.unwrap_or_default();
    let name = FullName { tenant: metadata.tenant, namespace: metadata.namespace, name: metadata.name };
    let doing = format!("reading logs of {} {}", word(kind), crate::selection::shown(&name));
    let request = LogsRequest { name: Some(name), cluster, instance, tail_lines: tail, follow };
    let answer = client.components(kind, Bound::Stream).logs(request).await;
    let mut pieces = client.answer(&doing, answer)?;
    while let Some(piece) = pieces.message().await.map_err(|status| client.error(&doing, status))? {
        output::write(&piece.data)?;
    }
    Ok(Output::Nothing)
}
