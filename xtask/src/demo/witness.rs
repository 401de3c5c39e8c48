//! Who sends to the functions and reads what they make of it: the official client, which knows nothing of Isthmus.

use std::time::Duration;

use anyhow::Result;
use isthmus_testbed::{Pulsar, Traffic, isthmus::Cli, progress::Step, traffic::Consumer, wait::until};
use serde_json::Value;

use super::{functions::Function, get};

/// The subscription by which outputs are counted.
const SUBSCRIPTION: &str = "witness";

/// For all messages of one load to come out.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the functions are, whatever runs them.
pub(super) trait Scene {
    /// What is deployed.
    const FUNCTIONS: [Function; 2];

    /// The administrator's CLI.
    fn cli(&self) -> &Cli;

    /// Who sends and reads.
    fn traffic(&self) -> &Traffic;

    /// What carries the messages of a function.
    fn pulsar(&self, of: &Function) -> &Pulsar;
}

/// Who sends to one function and reads what it makes of that.
pub(super) struct Witness {
    function: Function,
    consumer: Consumer,
    sent: Vec<String>,
}

impl Witness {
    /// How many messages Pulsar took from it.
    pub(super) fn sent(&self) -> usize {
        self.sent.len()
    }

    /// How many of them did not come out.
    pub(super) fn lost(&self) -> usize {
        self.consumer.received().missing(&self.sent).len()
    }

    /// Some of what came out.
    pub(super) fn show(&self) {
        /// Enough to see what the function does.
        const SOME: usize = 3;

        let received = self.consumer.received();
        println!(
            "\n{} made {} messages of {}, for example:",
            self.function.name,
            received.messages(),
            self.sent.len()
        );
        for text in received.by_id().values().flatten().take(SOME) {
            println!("  {text}");
        }
    }
}

/// Uploads the code, deploys the functions, waits until they are ready on all their clusters.
pub(super) async fn deploy<S: Scene>(stage: &S) -> Result<Vec<Witness>> {
    let step = Step::begin("Deploying two functions through the gateway");
    let mut manifests = Vec::new();
    for function in S::FUNCTIONS {
        let pulsar = stage.pulsar(&function);
        pulsar.create_subscription(&function.output(), SUBSCRIPTION).await?;
        manifests.push(function.manifest(pulsar.home()));
    }
    stage.cli().call_with(&["apply", "-f", "-", "--wait"], &manifests.join("---\n")).await?;
    step.done();
    let mut witnesses = Vec::new();
    for function in S::FUNCTIONS {
        let service_url = stage.pulsar(&function).service_url();
        let consumer = stage
            .traffic()
            .consume_as(&service_url, &function.output(), SUBSCRIPTION, function.schema())
            .await?;
        witnesses.push(Witness { function, consumer, sent: Vec::new() });
    }
    Ok(witnesses)
}

/// Sends to each function and waits for what comes out.
pub(super) async fn exchange<S: Scene>(
    stage: &S,
    witnesses: &mut [Witness],
    part: &str,
    count: u32,
    seed: u64,
) -> Result<()> {
    let step = Step::begin(format!("Sending {count} messages to each function"));
    for Witness { function, sent, .. } in witnesses.iter_mut() {
        let load = function.load(part, count, seed);
        sent.extend(stage.traffic().produce(&stage.pulsar(function).service_url(), &load, PATIENCE).await?);
    }
    for Witness { consumer, sent, .. } in witnesses {
        consumer.collect(sent, PATIENCE).await?;
    }
    step.done();
    Ok(())
}

/// Waits until the gateway's status counts what was sent: instances are asked every few seconds, and what is shown next shall be
/// the whole.
pub(super) async fn settle<S: Scene>(stage: &S, witnesses: &[Witness]) -> Result<()> {
    for Witness { function, sent, .. } in witnesses {
        let what = format!("the status of {} to count {} messages", function.name, sent.len());
        until(what, PATIENCE, async || {
            let status =
                get(stage.cli(), "function", function.name).await.map_err(|error| format!("{error:#}"))?;
            let processed = status.pointer("/status/messages/processed").and_then(Value::as_u64).unwrap_or(0);
            if processed >= sent.len() as u64 { Ok(()) } else { Err(format!("{processed} messages")) }
        })
        .await?;
    }
    Ok(())
}
