//! Functions deployed through the gateway run as processes of a host against a real Pulsar, and are looked after.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use isthmus_proto::component::v1::{Component, LogsRequest, Status};
use isthmus_testbed::isthmus::instances::{self, Process};
use isthmus_testbed::traffic::{Load, Schema};
use isthmus_tests::fixture::{Fixture, function, name, package};
use isthmus_tests::{Federation, PATIENCE, until};

/// Pulsar's own examples.
const JAVA: &str = "org.apache.pulsar.functions.api.examples.ExclamationFunction";
const PYTHON: &str = "exclamation_function.ExclamationFunction";

/// The subscription by which outputs are counted.
const WITNESS: &str = "witness";

fn topic(name: &str) -> String {
    format!("persistent://public/default/{name}")
}

fn status(component: &Component) -> Status {
    component.status.clone().unwrap_or_default()
}

fn is_ready(component: &Component) -> bool {
    let status = status(component);
    status.phase == "Ready" && status.ready == status.desired && status.ready > 0
}

/// Uploads Pulsar's own examples and makes functions of them.
async fn examples(federation: &Federation) -> Result<[Fixture; 2]> {
    let home = federation.pulsar()?.home();
    let jar = federation.upload("api-examples.jar", &std::fs::read(home.examples_jar())?).await?;
    let module = std::fs::read(home.python_examples().join("exclamation_function.py"))?;
    let module = federation.upload("exclamation_function.py", &module).await?;
    Ok([
        function("run-java").java(package("api-examples.jar", &jar), JAVA),
        function("run-python").python(package("exclamation_function.py", &module), PYTHON),
    ])
}

/// Sends messages to a function, and waits until what it makes of each has come out.
async fn exchange(federation: &Federation, of: &str, schema: Schema, part: &str, count: u32) -> Result<()> {
    let url = federation.pulsar()?.service_url();
    let traffic = federation.world().traffic().await?;
    let (prefix, topic_in) = (format!("{of}-{part}"), topic(&format!("{of}-in")));
    let load = Load { topic: topic_in, schema, prefix, count, seed: 1 };
    let sent = traffic.produce(&url, &load, PATIENCE).await?;
    let mut witness = traffic.consume_as(&url, &topic(&format!("{of}-out")), WITNESS, schema).await?;
    let received = witness.collect(&sent, PATIENCE).await?;
    assert_eq!(received.missing(&sent), [""; 0], "lost on the way through {of}");
    let made = received.by_id().values().flatten().all(|text| text.ends_with('!'));
    assert!(made, "{received:?}");
    Ok(())
}

/// Waits until exactly these functions' instances are ready, and answers their processes.
async fn until_ready(federation: &Federation, names: &[&str]) -> Result<BTreeSet<Process>> {
    for of in names {
        federation.until_component("to be ready", name(of), is_ready).await?;
    }
    let running = instances::running(federation.run());
    assert_eq!(running.len(), names.len(), "{running:?}");
    Ok(running)
}

async fn logs(federation: &Federation, of: &str, tail_lines: Option<u32>) -> Result<String> {
    let request = LogsRequest { name: Some(name(of)), tail_lines, ..LogsRequest::default() };
    let mut stream = federation.client().functions().logs(request).await?.into_inner();
    let mut text = Vec::new();
    while let Some(piece) = stream.message().await? {
        text.extend_from_slice(&piece.data);
    }
    Ok(String::from_utf8(text)?)
}

async fn counted(federation: &Federation, of: &str, count: u64) -> Result<()> {
    federation
        .until_component(&format!("to have counted {count}"), name(of), |found| {
            let messages = status(found).messages.unwrap_or_default();
            (messages.received, messages.processed, messages.user_exceptions) == (count, count, 0)
        })
        .await?;
    Ok(())
}

/// One story, because each step needs instances that run, and these take their time to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_run_are_counted_restarted_after_a_crash_and_adopted_by_a_new_agent() -> Result<()> {
    const BOTH: [&str; 2] = ["run-java", "run-python"];

    let mut federation = Federation::builder().agents(["east"]).with_pulsar().start().await?;
    for of in BOTH {
        federation.pulsar()?.create_subscription(&topic(&format!("{of}-out")), WITNESS).await?;
    }
    for example in examples(&federation).await? {
        federation.client().functions().create(example.create()).await?;
    }
    let first = until_ready(&federation, &BOTH).await?;
    exchange(&federation, "run-java", Schema::String, "one", 100).await?;
    exchange(&federation, "run-python", Schema::Bytes, "one", 100).await?;
    for of in BOTH {
        counted(&federation, of, 100).await?;
    }

    logs_are_served(&federation).await?;
    let second = a_killed_instance_is_started_again(&federation, &first).await?;
    until_ready(&federation, &BOTH).await?;
    exchange(&federation, "run-python", Schema::Bytes, "two", 20).await?;

    // The gateway is away, then the agent: the work goes on, and nothing is started anew.
    federation.kill_gateway().await?;
    exchange(&federation, "run-java", Schema::String, "three", 20).await?;
    federation.kill_agent("east").await?;
    exchange(&federation, "run-python", Schema::Bytes, "three", 20).await?;
    federation.resume_gateway().await?;
    federation.resume_agent("east").await?;
    assert_eq!(until_ready(&federation, &BOTH).await?, second, "pid and start time of each instance");
    federation.end().await
}

async fn logs_are_served(federation: &Federation) -> Result<()> {
    let all = logs(federation, "run-python", None).await?;
    assert!(!all.trim().is_empty(), "an instance says something when it starts");
    let last = logs(federation, "run-python", Some(1)).await?;
    assert_eq!(last.trim_end().lines().count(), 1, "{last:?}");
    let typed = federation.cli().call(&["logs", "function", "run-java"]).await?;
    assert!(!typed.trim().is_empty(), "the CLI shows them, too");
    Ok(())
}

/// Kills one instance of two; answers the processes afterwards.
async fn a_killed_instance_is_started_again(
    federation: &Federation,
    before: &BTreeSet<Process>,
) -> Result<BTreeSet<Process>> {
    let victim = before.first().context("an instance runs")?;
    victim.kill();
    let after = until("another process in its place", PATIENCE, async || {
        let running = instances::running(federation.run());
        if running.len() == before.len() && !running.contains(victim) {
            Ok(running)
        } else {
            Err(format!("{running:?}"))
        }
    })
    .await?;
    assert_eq!(instances::restarted(before, &after), 1, "the other one is left alone");
    until("the restart to be counted", PATIENCE, async || {
        let all = federation.list_all().await.map_err(|error| error.to_string())?;
        let restarts: Vec<_> = all.iter().map(|component| status(component).restarts).collect();
        if restarts.iter().sum::<u64>() == 1 { Ok(()) } else { Err(format!("{restarts:?}")) }
    })
    .await?;
    Ok(after)
}
