//! `watch` and `get --watch`: what is there, then every change, until the connection or the person ends it.

use std::collections::BTreeMap;

use isthmus_model::component::ComponentKind;
use isthmus_proto::cluster::v1::watch_clusters_response::Event as ClusterEvent;
use isthmus_proto::cluster::v1::watch_pulsar_clusters_response::Event as PulsarEvent;
use isthmus_proto::cluster::v1::{WatchClustersRequest, WatchPulsarClustersRequest};
use isthmus_proto::component::v1::watch_response::Event;
use isthmus_proto::component::v1::{Component, Status, WatchRequest};
use serde_json::json;

use super::{Context, get, now};
use crate::args::{Format, Only, Resource, Watch};
use crate::client::{Bound, Client};
use crate::error::Error;
use crate::output::{self, Column, Output, Record};
use crate::{selection, view};

/// What is watched.
#[derive(Debug)]
pub(super) struct Watched {
    resource: Resource,
    name: Option<String>,
    all_namespaces: bool,
    only: Only,
}

pub(super) async fn run(context: &Context<'_>, args: Watch) -> Result<Output, Error> {
    let Watch { resource, name, all_namespaces, only } = args;
    let (resource, names) = selection::typed(&resource, &name.into_iter().collect::<Vec<_>>())?;
    selection::check(&only, resource, &names)?;
    follow(context, Watched::new(resource, names, all_namespaces, only)?).await
}

pub(super) async fn follow(context: &Context<'_>, watched: Watched) -> Result<Output, Error> {
    let client = context.client().await?;
    match watched.resource {
        Resource::Functions | Resource::Sources | Resource::Sinks | Resource::All => {
            let kinds = watched.resource.kinds();
            let mut lines = Lines::new(context.format(), view::component::COLUMNS);
            // Each kind has its own stream; one that fails ends them all.
            let (sender, mut receiver) = tokio::sync::mpsc::channel(64);
            let streams =
                kinds.iter().map(|&kind| components(context, &client, kind, &watched, sender.clone()));
            let streams = futures::future::try_join_all(streams);
            drop(sender);
            let print = async {
                while let Some((component, event)) = receiver.recv().await {
                    lines.print(&view::component::record(&component, now(), kinds.len() > 1), event)?;
                }
                Ok(())
            };
            tokio::try_join!(streams, print)?;
        }
        Resource::Clusters => clusters(context, &client, &watched).await?,
        Resource::PulsarClusters => pulsar_clusters(context, &client, &watched).await?,
        Resource::Packages | Resource::Tokens | Resource::Bindings => {
            return Err(Error::Usage(
                "only functions, sources, sinks, clusters and pulsar-clusters can be watched".to_owned(),
            ));
        }
    }
    Ok(Output::Nothing)
}

async fn components(
    context: &Context<'_>,
    client: &Client,
    kind: ComponentKind,
    watched: &Watched,
    sender: tokio::sync::mpsc::Sender<(Component, &'static str)>,
) -> Result<(), Error> {
    let within = get::within(context, watched.all_namespaces)?;
    let mut request = WatchRequest {
        tenant: within.tenant,
        namespace: within.namespace,
        name: String::new(),
        from_log_index: 0,
        with_status: true,
        label_selector: watched.only.selector.clone(),
        cluster: watched.only.cluster.clone(),
    };
    if let Some(name) = &watched.name {
        let name = selection::full_name(&context.scope()?, name);
        (request.tenant, request.namespace, request.name) = (name.tenant, name.namespace, name.name);
    }
    let doing = || format!("watching {}", kind.plural());
    let answer = client.components(kind, Bound::Stream).watch(request).await;
    let mut events = client.answer(doing(), answer)?;
    let mut known = Known::default();
    while let Some(event) = events.message().await.map_err(|status| client.error(doing(), status))? {
        if let Some(shown) = event.event.and_then(|event| known.after(event))
            && sender.send(shown).await.is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// The components as they were last seen: an event of a status brings no spec.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, Component>);

impl Known {
    /// The component after an event, and the event's word; none when there is nothing to show.
    fn after(&mut self, event: Event) -> Option<(Component, &'static str)> {
        let (mut component, mut word) = match event {
            Event::Added(component) => (component, "ADDED"),
            Event::Modified(component) => (component, "MODIFIED"),
            Event::Status(component) => (component, "STATUS"),
            Event::Deleted(component) => (component, "DELETED"),
            Event::Bookmark(_) => return None,
        };
        let uid = component.metadata.as_ref().map(|metadata| metadata.uid.clone()).unwrap_or_default();
        let before = match (self.0.remove(&uid), word) {
            (Some(before), _) => before,
            // It was not among those that are watched, as far as was told.
            (None, "DELETED" | "STATUS") => return None,
            (None, _) => {
                word = "ADDED";
                Component::default()
            }
        };
        if word == "STATUS"
            && let (Some(metadata), Some(known)) = (&mut component.metadata, before.metadata)
        {
            metadata.labels = known.labels;
            metadata.annotations = known.annotations;
        }
        // What is there and only not watched any more still has a status.
        let gone = word == "DELETED" && component.status.is_none();
        let mut after = Component {
            spec: component.spec.or(before.spec),
            placement: component.placement.or(before.placement),
            status: component.status.or(before.status),
            ..component
        };
        if gone {
            let status = after.status.take().unwrap_or_default();
            after.status = Some(Status { phase: "Deleted".to_owned(), ready: 0, ..status });
        } else if word != "DELETED" {
            self.0.insert(uid, after.clone());
        }
        Some((after, word))
    }
}

async fn clusters(context: &Context<'_>, client: &Client, watched: &Watched) -> Result<(), Error> {
    let request = WatchClustersRequest { label_selector: watched.only.selector.clone() };
    let answer = client.clusters(Bound::Stream).watch_clusters(request).await;
    let mut events = client.answer("watching clusters", answer)?;
    let mut lines = Lines::new(context.format(), view::cluster::COLUMNS);
    while let Some(event) =
        events.message().await.map_err(|status| client.error("watching clusters", status))?
    {
        match event.event {
            Some(ClusterEvent::Cluster(cluster)) if watched.wants(&cluster.name) => {
                lines.print(&view::cluster::record(&cluster, now()), "MODIFIED")?;
            }
            Some(ClusterEvent::Deleted(name)) if watched.wants(&name) => lines.gone("cluster", &name)?,
            Some(ClusterEvent::Cluster(_) | ClusterEvent::Deleted(_)) | None => {}
        }
    }
    Ok(())
}

async fn pulsar_clusters(context: &Context<'_>, client: &Client, watched: &Watched) -> Result<(), Error> {
    let doing = "watching Pulsar clusters";
    let answer =
        client.pulsar_clusters(Bound::Stream).watch_pulsar_clusters(WatchPulsarClustersRequest {}).await;
    let mut events = client.answer(doing, answer)?;
    let mut lines = Lines::new(context.format(), view::pulsar_cluster::COLUMNS);
    while let Some(event) = events.message().await.map_err(|status| client.error(doing, status))? {
        match event.event {
            Some(PulsarEvent::PulsarCluster(cluster)) if watched.wants(&cluster.name) => {
                lines.print(&view::pulsar_cluster::record(&cluster), "MODIFIED")?;
            }
            Some(PulsarEvent::Deleted(name)) if watched.wants(&name) => {
                lines.gone("pulsar-cluster", &name)?;
            }
            Some(PulsarEvent::PulsarCluster(_) | PulsarEvent::Deleted(_)) | None => {}
        }
    }
    Ok(())
}

impl Watched {
    pub(super) fn new(
        resource: Resource,
        mut names: Vec<String>,
        all_namespaces: bool,
        only: Only,
    ) -> Result<Self, Error> {
        let name = names.pop();
        if !names.is_empty() {
            return Err(Error::Usage("watching takes one name or none".to_owned()));
        }
        Ok(Self { resource, name, all_namespaces, only })
    }

    fn wants(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|wanted| wanted == name)
    }
}

/// Prints one record after another in columns that stay where they are as far as they can.
#[derive(Debug)]
struct Lines {
    format: Format,
    columns: &'static [Column],
    widths: Vec<usize>,
    header: bool,
}

impl Lines {
    fn new(format: Format, columns: &'static [Column]) -> Self {
        let widths = columns.iter().map(|column| column.title.len().max(9)).collect();
        Self { format, columns, widths, header: false }
    }

    fn print(&mut self, record: &Record, event: &str) -> Result<(), Error> {
        let text = self.render(record, event)?;
        output::write(text.as_bytes())
    }

    /// Only its name is known of what is gone.
    fn gone(&mut self, word: &str, name: &str) -> Result<(), Error> {
        let cells = self.columns.iter().map(|column| match column.title {
            "NAME" => name.to_owned(),
            "STATUS" => "Deleted".to_owned(),
            _ => view::NOTHING.to_owned(),
        });
        let value = json!({"metadata": {"name": name}});
        let record = Record { name: format!("{word}/{name}"), cells: cells.collect(), value };
        self.print(&record, "DELETED")
    }

    /// One line for people, or one JSON value a line, or one YAML document.
    fn render(&mut self, record: &Record, event: &str) -> Result<String, Error> {
        match self.format {
            Format::Table | Format::Wide => {
                let header: Vec<_> = self.columns.iter().map(|column| column.title.to_owned()).collect();
                let mut text = String::new();
                // Before the header is printed it makes room for the first line.
                self.line(&record.cells);
                if !std::mem::replace(&mut self.header, true) {
                    text.push_str(&self.line(&header));
                }
                text.push_str(&self.line(&record.cells));
                Ok(text)
            }
            Format::Name => Ok(format!("{}\n", record.name)),
            Format::Json => Ok(format!("{}\n", json!({"type": event, "object": record.value}))),
            Format::Yaml => {
                Ok(format!("---\n{}", output::yaml(&json!({"type": event, "object": record.value}))?))
            }
        }
    }

    fn line(&mut self, cells: &[String]) -> String {
        let mut text = Vec::new();
        let wide = self.format == Format::Wide;
        let shown = self.columns.iter().zip(cells).zip(self.widths.iter_mut());
        for ((_, cell), width) in shown.filter(|((column, _), _)| wide || !column.wide) {
            *width = (*width).max(cell.chars().count());
            text.push(format!("{cell:<width$}", width = *width));
        }
        format!("{}\n", text.join("   ").trim_end())
    }
}

#[cfg(test)]
mod tests;
