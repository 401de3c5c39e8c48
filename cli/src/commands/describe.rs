//! `describe`: one resource with all that is known of it.

use isthmus_proto::component::v1::ExplainRequest;

use super::{Context, get, now};
use crate::args::{Format, Resource};
use crate::client::Bound;
use crate::error::Error;
use crate::output::{self, Output};
use crate::{selection, view};

pub(super) async fn run(context: &Context<'_>, what: &[String]) -> Result<Output, Error> {
    let client = context.client().await?;
    if let (Some(resource), name) = selection::one(what)?
        && resource.kinds().is_empty()
    {
        return other(context, &client, resource, name).await;
    }
    let (kind, component) = context.component(&client, what).await?;
    let value = view::component::value(&component);
    if !matches!(context.format(), Format::Table | Format::Wide) {
        let listing = view::component::listing(&[component], now(), false, true);
        return Ok(Output::Listings(vec![listing]));
    }
    let name = component.metadata.as_ref().map(|metadata| isthmus_proto::common::v1::FullName {
        tenant: metadata.tenant.clone(),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
    });
    // Why it runs where it runs belongs to it, but it can be described without.
    let answer = client.components(kind, Bound::Unary).explain(ExplainRequest { name }).await;
    let why = match client.answer("explaining its placement", answer) {
        Ok(answer) => answer.explanation,
        Err(error) => {
            error.print(context.style);
            None
        }
    };
    Ok(Output::Text {
        text: view::describe::component(&component, why.as_ref(), now(), context.style)?,
        value,
    })
}

async fn other(
    context: &Context<'_>,
    client: &crate::client::Client,
    resource: Resource,
    name: String,
) -> Result<Output, Error> {
    let listing = get::other(client, resource, std::slice::from_ref(&name), "").await?;
    if listing.records.is_empty() {
        return Err(Error::Usage(format!("there is no {name:?} among the {resource:?}")));
    }
    match context.format() {
        Format::Table | Format::Wide => {
            let texts = listing
                .records
                .iter()
                .map(|record| output::yaml(&record.value))
                .collect::<Result<Vec<_>, _>>();
            output::write(texts?.join("---\n").as_bytes())?;
            Ok(Output::Nothing)
        }
        Format::Json | Format::Yaml | Format::Name => Ok(Output::Listings(vec![listing])),
    }
}
