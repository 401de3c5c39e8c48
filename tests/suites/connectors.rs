//! A source and a sink, deployed through the gateway from their NAR, move messages.

use anyhow::Result;
use isthmus_proto::component::v1::Component;
use isthmus_tests::Federation;
use isthmus_tests::fixture::{name, package, sink, source};

const RECORD: &str = "org.apache.pulsar.io.datagenerator.Person";
const SOURCE: &str = "org.apache.pulsar.io.datagenerator.DataGeneratorSource";
const SINK: &str = "org.apache.pulsar.io.datagenerator.DataGeneratorPrintSink";

/// More than a first batch, so that the flow is seen and not only a start.
const SOME: u64 = 50;

fn is_moving(component: &Component) -> bool {
    let status = component.status.as_ref();
    status.is_some_and(|status| {
        let messages = status.messages.unwrap_or_default();
        status.phase == "Ready" && messages.received >= SOME && messages.system_exceptions == 0
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_and_a_sink_move_messages() -> Result<()> {
    let federation = Federation::builder().agents(["east"]).with_pulsar().start().await?;
    let nar = std::fs::read(federation.world().cache.data_generator().await?)?;
    let nar = package("data-generator.nar", &federation.upload("data-generator.nar", &nar).await?);
    let people = source("people").output("people");
    let people = people.connector(nar.clone(), SOURCE, RECORD, r#"{"sleepBetweenMessages":20}"#);
    federation.client().sources().create(people.create()).await?;
    let printer = sink("printer").input("people").connector(nar, SINK, RECORD, "");
    federation.client().sinks().create(printer.create()).await?;

    federation.until_component("to write", name("people"), is_moving).await?;
    federation.until_component("to read", name("printer"), is_moving).await?;
    federation.end().await
}
