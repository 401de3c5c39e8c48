//! Of several agents of one cluster only the holder of the Lease writes, and another follows soon.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use isthmus_agent::leader::{self, Lost};
use isthmus_agent::operator::{self, Operator};
use isthmus_daemon::clock::SystemClock;
use isthmus_testbed::kubernetes::Extent;
use isthmus_tests::{SOON, until};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::world::{World, manifest, reason};
use crate::kubernetes::proxy::{Proxy, Weather};

/// Where the Lease is.
const RELEASE: &str = "isthmus";

/// An agent's operator, which waits for the Lease or has it.
struct Agent {
    operates: JoinHandle<()>,
    renews: JoinHandle<Result<(), Lost>>,
    /// Ends the operator.
    stop: CancellationToken,
    /// Gives the Lease up.
    release: CancellationToken,
    /// When it began each of its passes over a resource.
    passes: Arc<Mutex<BTreeMap<String, Vec<Instant>>>>,
}

impl Agent {
    async fn start(kubeconfig: &Path) -> Result<Self> {
        let config =
            operator::Config { kubeconfig: Some(kubeconfig.to_path_buf()), ..operator::Config::default() };
        let client = operator::client(&config).await?;
        let (stop, release) = (CancellationToken::new(), CancellationToken::new());
        let passes = Arc::<Mutex<BTreeMap<String, Vec<Instant>>>>::default();
        let note = passes.clone();
        let operator = Operator::new(client.clone(), config).with(Arc::new(move |_: &str, name: &str| {
            note.lock().entry(name.to_owned()).or_default().push(Instant::now());
        }));
        let (give, elected) = tokio::sync::oneshot::channel();
        let (stops, releases) = (stop.clone(), release.clone());
        let renews = tokio::spawn(async move {
            let lease = leader::Config { namespace: RELEASE.to_owned(), ..leader::Config::default() };
            let elected = leader::elect(client, lease, Arc::new(SystemClock)).await;
            let _ended = give.send(elected.tenure());
            elected.keep(releases).await
        });
        let operates = tokio::spawn(async move {
            if let Ok(tenure) = elected.await {
                operator.under(tenure).run(stops).await;
            }
        });
        Ok(Self { operates, renews, stop, release, passes })
    }

    /// When its `nth` pass over this resource began, once it has.
    async fn pass(&self, name: &str, nth: usize) -> Result<Instant> {
        let seen = until(format!("pass {nth} over {name}"), SOON, async || {
            let passes = self.passes.lock().get(name).cloned().unwrap_or_default();
            passes.get(nth - 1).copied().ok_or_else(|| format!("{} passes", passes.len()))
        });
        Ok(seen.await?)
    }
}

/// A function that one of two agents has made, and the other's operator does not know of yet. The first one's has ended, so that
/// what is applied now is left for the second; it still renews.
async fn two_agents(world: &World) -> Result<(Agent, Agent)> {
    let first = Agent::start(world.account()).await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "tally")?).await?;
    world.until("function", "tally", "to be applied", |it| reason(it) == "Starting").await?;
    let second = Agent::start(world.account()).await?;
    first.stop.cancel();
    until("the first operator to end", SOON, async || {
        if first.operates.is_finished() { Ok(()) } else { Err("it runs".to_owned()) }
    })
    .await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "next")?).await?;
    Ok((first, second))
}

/// Starts a control plane with the right to the Lease that the chart gives.
async fn world() -> Result<World> {
    let world = World::start(Extent::ApiServer).await?;
    world.grant_lease(RELEASE).await?;
    Ok(world)
}

/// How long it took until the second agent began to write.
async fn follows(world: &World, second: &Agent, since: Instant) -> Result<Duration> {
    let took = second.pass("next", 1).await? - since;
    world.until("statefulset", "next-function", "to be made by the second agent", |_| true).await?;
    println!("the second agent began to write after {took:?}");
    second.stop.cancel();
    second.release.cancel();
    Ok(took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_dies_without_a_word_is_followed_once_its_lease_is_over() -> Result<()> {
    let world = world().await?;
    let (first, second) = two_agents(&world).await?;
    assert!(second.passes.lock().is_empty(), "the second reconciles while the first holds the Lease");
    let since = Instant::now();
    first.renews.abort();
    follows(&world, &second, since).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_ends_in_order_is_followed_at_once() -> Result<()> {
    let world = world().await?;
    let (first, second) = two_agents(&world).await?;
    let since = Instant::now();
    first.release.cancel();
    let took = follows(&world, &second, since).await?;
    assert!(took < leader::Config::default().duration, "not before the Lease was over: {took:?}");
    first.renews.await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_was_cut_off_writes_nothing_afterwards() -> Result<()> {
    let world = world().await?;
    let proxy = Proxy::start(world.account()).await?;
    let mut first = Agent::start(proxy.kubeconfig()).await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "tally")?).await?;
    world.until("function", "tally", "to be applied", |it| reason(it) == "Starting").await?;

    proxy.set(Weather::Answers(503));
    let lost = (&mut first.renews).await?.unwrap_err();
    assert!(lost.to_string().contains("isthmus/isthmus-agent"), "{lost}");
    // Nobody ends its operator here, so that it is its deadline alone that holds it back.
    proxy.set(Weather::Fair);
    world.apply(&manifest("121-mesh-small.in.yaml", "pipe")?).await?;
    world.apply(&manifest("001-java-minimal.in.yaml", "next")?).await?;
    // Its second pass comes because the first was of no avail.
    first.pass("next", 2).await?;
    let made = world.get("statefulset", "next-function").await;
    assert!(made.as_ref().is_err_and(|why| why.contains("NotFound")), "{made:?}");
    let member = world.get("function", "pipe-clean").await;
    assert!(member.as_ref().is_err_and(|why| why.contains("NotFound")), "{member:?}");

    let second = Agent::start(world.account()).await?;
    world.until("statefulset", "next-function", "to be made by the second agent", |_| true).await?;
    world.until("function", "pipe-clean", "to be made by the second agent", |_| true).await?;
    for agent in [&first.stop, &second.stop, &second.release] {
        agent.cancel();
    }
    Ok(())
}
