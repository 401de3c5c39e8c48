//! Who sends to the functions and reads what they make of it: the official client, which knows nothing of Isthmus.

use std::time::Duration;

use anyhow::Result;
use isthmus_testbed::{progress::Step, traffic::Consumer};

use super::{
    functions::{self, Function},
    stage::Stage,
};

/// The subscription by which outputs are counted.
const SUBSCRIPTION: &str = "witness";

/// For all messages of one load to come out.
const PATIENCE: Duration = Duration::from_mins(1);

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
pub(super) async fn deploy(stage: &Stage) -> Result<Vec<Witness>> {
    let step = Step::begin("Deploying two functions through the gateway");
    let mut manifests = Vec::new();
    for function in functions::ALL {
        stage.pulsar.create_subscription(&function.output(), SUBSCRIPTION).await?;
        manifests.push(function.manifest(stage.pulsar.home()));
    }
    stage.cli().call_with(&["apply", "-f", "-", "--wait"], &manifests.join("---\n")).await?;
    step.done();
    let mut witnesses = Vec::new();
    for function in functions::ALL {
        let service_url = stage.pulsar.service_url();
        let consumer = stage
            .traffic
            .consume_as(&service_url, &function.output(), SUBSCRIPTION, function.schema())
            .await?;
        witnesses.push(Witness { function, consumer, sent: Vec::new() });
    }
    Ok(witnesses)
}

/// Sends to each function and waits for what comes out.
pub(super) async fn exchange(
    stage: &Stage,
    witnesses: &mut [Witness],
    part: &str,
    count: u32,
    seed: u64,
) -> Result<()> {
    let step = Step::begin(format!("Sending {count} messages to each function"));
    for Witness { function, sent, .. } in witnesses.iter_mut() {
        let load = function.load(part, count, seed);
        sent.extend(stage.traffic.produce(&stage.pulsar.service_url(), &load, PATIENCE).await?);
    }
    for Witness { consumer, sent, .. } in witnesses {
        consumer.collect(sent, PATIENCE).await?;
    }
    step.done();
    Ok(())
}
