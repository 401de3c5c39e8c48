//! The gateway is killed while many clients deploy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use isthmus_proto::component::v1::{Component, CreateRequest};
use isthmus_tests::fixture::function;
use isthmus_tests::{Client, Federation, PATIENCE, until};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Code;

/// Decides the moments.
const SEED: u64 = 20;
/// Kills.
const ROUNDS: usize = 100;
/// New deployments between two kills, all at the same time; those that were cut off are sent again beside them.
const EACH: usize = 20;
/// Kills at which something was durable that nobody had been told of: these fell between append and answer.
const BETWEEN: usize = 20;

/// What the clients were told, which no crash of the gateway may take back.
#[derive(Debug, Default)]
struct Journal {
    acknowledged: BTreeMap<String, Acknowledged>,
    /// Sent, and not answered yet.
    open: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Acknowledged {
    uid: String,
    log_index: u64,
}

/// When a round's kill comes.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after the first request was sent.
    After(Duration),
    /// As soon as so many answers have come.
    AtAnswer(usize),
}

impl Moment {
    fn of(round: usize, random: &mut StdRng) -> Self {
        if round.is_multiple_of(3) {
            Self::AtAnswer(random.random_range(1..EACH / 2))
        } else {
            Self::After(Duration::from_micros(random.random_range(500..20_000)))
        }
    }
}

impl Journal {
    /// Sends what is open and what is new, and writes down the answers until everything is answered or cut off. Tells `answers`
    /// how many have come.
    async fn send(&mut self, client: &Client, answers: mpsc::UnboundedSender<usize>) -> Result<()> {
        let mut calls = JoinSet::new();
        for name in &self.open {
            let (mut functions, name) = (client.functions(), name.clone());
            calls.spawn(async move {
                // The retry of a call that was cut off must not become a second deployment.
                let request = CreateRequest { request_id: name.clone(), ..function(&name).create() };
                (functions.create(request).await, name)
            });
        }
        let mut count = 0;
        while let Some(call) = calls.join_next().await {
            match call? {
                (Ok(answer), name) => {
                    let answer = answer.into_inner();
                    let metadata = answer.component.and_then(|component| component.metadata);
                    let uid = metadata.context("an answer carries the component")?.uid;
                    self.open.remove(&name);
                    self.acknowledged.insert(name, Acknowledged { uid, log_index: answer.log_index });
                    count += 1;
                    // Nobody listens once the kill has happened.
                    let _unheard = answers.send(count);
                }
                (Err(status), name) => {
                    let cut_off = matches!(
                        status.code(),
                        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
                    );
                    ensure!(cut_off, "{name} was refused: {status:?}");
                }
            }
        }
        Ok(())
    }

    /// Compares what the gateway has after a restart with what was told. Answers how much is durable that nobody was told of.
    fn check(&self, found: &[Component]) -> Result<usize> {
        let mut names = BTreeSet::new();
        let mut untold = 0;
        for component in found {
            let metadata = component.metadata.as_ref().context("a component has a name")?;
            ensure!(names.insert(&metadata.name), "{} is there twice", metadata.name);
            check_whole(component)?;
            if let Some(told) = self.acknowledged.get(&metadata.name) {
                ensure!(told.uid == metadata.uid, "{} is another one than was told", metadata.name);
            } else {
                ensure!(self.open.contains(&metadata.name), "nobody ever sent {}", metadata.name);
                untold += 1;
            }
        }
        let lost: Vec<_> = self.acknowledged.keys().filter(|name| !names.contains(name)).collect();
        ensure!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        Ok(untold)
    }
}

/// A component is there with all of its parts, or not at all.
fn check_whole(component: &Component) -> Result<()> {
    let metadata = component.metadata.as_ref().context("a component has a name")?;
    let sent = function(&metadata.name).build();
    let of = |component: &Component| {
        let spec = component.spec.clone().unwrap_or_default();
        (spec.input.map(|input| input.topics), spec.output.map(|output| output.topic), spec.runtime.is_some())
    };
    ensure!(of(component) == of(&sent), "half a spec: {component:?}");
    ensure!(metadata.revision == 1 && metadata.log_index > 0, "half a history: {metadata:?}");
    let status = component.status.as_ref().context("a status")?;
    let whole = match status.clusters.as_slice() {
        [] => status.phase == "Parked",
        [share] => share.desired == 1 && share.generation > 0,
        _ => false,
    };
    ensure!(whole, "half a placement: {component:?}");
    Ok(())
}

/// Kills the gateway at its moment, while the round's requests are on their way.
async fn strike(
    federation: &mut Federation,
    moment: Moment,
    mut answers: mpsc::UnboundedReceiver<usize>,
) -> Result<()> {
    match moment {
        Moment::After(delay) => tokio::time::sleep(delay).await,
        Moment::AtAnswer(count) => while answers.recv().await.is_some_and(|come| come < count) {},
    }
    federation.kill_gateway().await
}

/// The sum of the shares must be what the clusters are said to have: a share without its component would be one half.
async fn check_clusters(federation: &Federation, found: &[Component]) -> Result<()> {
    for (cluster, shares) in super::wanted(found) {
        let assignments = federation.cluster(&cluster).await?.assignments as usize;
        ensure!(assignments == shares.len(), "{cluster} has {assignments} assignments of {}", shares.len());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_gateway_acknowledged_is_there_whole_and_agents_converge_to_it() -> Result<()> {
    let mut federation = Federation::builder().agents(["east", "west"]).unbounded().start().await?;
    let client = federation.client().clone();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut journal = Journal::default();
    let mut between = 0;

    for round in 0..ROUNDS {
        journal.open.extend((0..EACH).map(|number| format!("f-{round:03}-{number:02}")));
        let (tell, answers) = mpsc::unbounded_channel();
        let moment = Moment::of(round, &mut random);
        let (sent, struck) =
            tokio::join!(journal.send(&client, tell), strike(&mut federation, moment, answers));
        sent?;
        struck?;
        federation.resume_gateway().await?;
        let found = federation.list_all().await?;
        let untold = journal.check(&found).with_context(|| format!("round {round}, killed {moment:?}"))?;
        check_clusters(&federation, &found).await?;
        between += usize::from(untold > 0);
    }

    // What is still open is sent once more, and nobody interrupts.
    let (tell, _) = mpsc::unbounded_channel();
    journal.send(&client, tell).await?;
    assert_eq!((journal.open.len(), journal.acknowledged.len()), (0, ROUNDS * EACH));
    assert_eq!(journal.check(&federation.list_all().await?)?, 0);
    let mut order: Vec<_> = journal.acknowledged.values().map(|told| told.log_index).collect();
    order.sort_unstable();
    assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "each deployment has a commit of its own");
    assert!(between >= BETWEEN, "only {between} of {ROUNDS} kills fell between append and answer");
    eprintln!("{between} of {ROUNDS} kills fell between append and answer");

    let placed = until("everything to be placed", PATIENCE, async || {
        let found = federation.list_all().await.map_err(|error| format!("{error:#}"))?;
        let parked =
            found.iter().filter(|component| super::wanted(std::slice::from_ref(component)).is_empty());
        match parked.count() {
            0 => Ok(found),
            parked => Err(format!("{parked} are parked")),
        }
    })
    .await?;
    let wanted = super::wanted(&placed);
    for cluster in ["east", "west"] {
        federation.until_in_step(cluster).await?;
        federation.stop_agent(cluster).await?;
        assert_eq!(Some(&super::held(&federation, cluster)?), wanted.get(cluster), "{cluster}");
        federation.resume_agent(cluster).await?;
    }
    federation.end().await
}
