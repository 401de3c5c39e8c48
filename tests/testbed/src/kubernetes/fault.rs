//! Faults of the link between a cluster and everybody else: cut, slow or lossy, one way or both, for everything or for some peers.
//!
//! They are rules of the cluster's own network, so that what its parts say to one another is not touched, and they end with it.
//! Packets vanish without a word, as they do when a cable is pulled: nobody is told that a connection is over.

use std::{net::SocketAddr, time::Duration};

use tokio::io::{AsyncBufReadExt, BufReader};

use super::{Error, namespace::Namespace};
use crate::{
    fs,
    process::{Program, Supervised},
    run::Run,
    tools::PYTHON,
};

/// Holds packets back; the kernel's own emulation of slow links is not built into every kernel.
const DELAY: &str = include_str!("../../clients/delay.py");

/// What the first line of its output is.
const DELAYS: &str = "delays";

const INBOUND: &str = "ISTHMUS-IN";
const OUTBOUND: &str = "ISTHMUS-OUT";

/// Which packets a fault is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    inbound: bool,
    outbound: bool,
    peer: Option<SocketAddr>,
}

impl Flow {
    /// All that enters or leaves the cluster.
    pub fn everything() -> Self {
        Self { inbound: true, outbound: true, peer: None }
    }

    /// All that is exchanged with one server outside (TCP).
    pub fn with(peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..Self::everything() }
    }

    /// Only what comes into the cluster.
    #[must_use]
    pub fn inbound(self) -> Self {
        Self { outbound: false, ..self }
    }

    /// Only what goes out of the cluster.
    #[must_use]
    pub fn outbound(self) -> Self {
        Self { inbound: false, ..self }
    }
}

/// What becomes of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// None arrives.
    Cut,
    /// Of a hundred, as many are lost on average; 0 to 100.
    Lose(f64),
    /// Each arrives this much later.
    Delay(Duration),
}

/// The faults of one cluster.
#[derive(Debug, Default)]
pub(super) struct Faults {
    all: Vec<(Flow, Effect)>,
    delayer: Option<Supervised>,
}

impl Faults {
    /// Prepares the cluster's network for faults.
    pub(super) fn prepare(namespace: &Namespace) -> Result<Self, Error> {
        let rules = format!(
            "*mangle\n:{INBOUND} - [0:0]\n:{OUTBOUND} - [0:0]\n\
             -A PREROUTING -i eth0 -j {INBOUND}\n-A POSTROUTING -o eth0 -j {OUTBOUND}\nCOMMIT\n"
        );
        namespace.restore(&rules)?;
        Ok(Self::default())
    }

    /// Adds a fault to those there are.
    pub(super) async fn add(
        &mut self,
        run: &Run,
        namespace: &Namespace,
        flow: Flow,
        effect: Effect,
    ) -> Result<(), Error> {
        self.all.push((flow, effect));
        self.apply(run, namespace).await
    }

    /// Ends all faults. Packets that are held back are lost.
    pub(super) async fn heal(&mut self, run: &Run, namespace: &Namespace) -> Result<(), Error> {
        self.all.clear();
        self.apply(run, namespace).await
    }

    async fn apply(&mut self, run: &Run, namespace: &Namespace) -> Result<(), Error> {
        let previous = self.delayer.take();
        let delays = delays(&self.all);
        if !delays.is_empty() {
            // Two cannot listen to the same queue, and between them packets are lost, as on any bad link.
            drop(previous);
            self.delayer = Some(delayer(run, namespace, &delays).await?);
        }
        namespace.restore(&rules(&self.all))
    }
}

/// The queue of each fault that delays, with how long it does: it is the fault's index.
fn delays(faults: &[(Flow, Effect)]) -> Vec<(usize, Duration)> {
    let delay = |(index, (_, effect)): (usize, &(Flow, Effect))| match effect {
        Effect::Delay(delay) => Some((index, *delay)),
        Effect::Cut | Effect::Lose(_) => None,
    };
    faults.iter().enumerate().filter_map(delay).collect()
}

/// Both chains anew, in one step. The first rule that applies decides, so that what is cut is not delayed first.
fn rules(faults: &[(Flow, Effect)]) -> String {
    let chains = format!("*mangle\n:{INBOUND} - [0:0]\n:{OUTBOUND} - [0:0]\n");
    let rules = faults.iter().enumerate().flat_map(|(index, (flow, effect))| {
        let target = target(index, *effect);
        let rule = |chain: &str, end: &str, port: &str| {
            let peer = flow.peer.map(|peer| format!("{end} {} -p tcp {port} {} ", peer.ip(), peer.port()));
            format!("-A {chain} {}{target}\n", peer.unwrap_or_default())
        };
        let inbound = flow.inbound.then(|| rule(INBOUND, "-s", "--sport"));
        let outbound = flow.outbound.then(|| rule(OUTBOUND, "-d", "--dport"));
        inbound.into_iter().chain(outbound)
    });
    rules.fold(chains, |text, rule| text + &rule) + "COMMIT\n"
}

/// What is done with packets that a rule is about.
fn target(index: usize, effect: Effect) -> String {
    match effect {
        Effect::Cut => "-j DROP".to_owned(),
        Effect::Lose(percent) => {
            let probability = (percent / 100.0).clamp(0.0, 1.0);
            format!("-m statistic --mode random --probability {probability} -j DROP")
        }
        Effect::Delay(_) => format!("-j NFQUEUE --queue-num {index}"),
    }
}

/// Starts what holds packets back and waits until it does.
async fn delayer(
    run: &Run,
    namespace: &Namespace,
    delays: &[(usize, Duration)],
) -> Result<Supervised, Error> {
    let python = PYTHON.find().map_err(|missing| Error::Provision(missing.into()))?;
    let script = run.dir().join("delay.py");
    fs::write(&script, DELAY).map_err(Error::Files)?;
    let arguments =
        delays.iter().flat_map(|(queue, delay)| [queue.to_string(), delay.as_secs_f64().to_string()]);
    let program = Program::new(python).arg(&script).args(arguments).prefixed(&namespace.enter_network());
    let log = run.dir().join("delay.log");
    let (process, output) = program.start_piped(run, &log).map_err(Error::Process)?;
    let first = BufReader::new(output).lines().next_line().await;
    match first {
        Ok(Some(line)) if line == DELAYS => Ok(process),
        _ => Err(Error::Delay { said: process.log_tail() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_a_rule_for_each_way_it_takes() {
        let gateway: SocketAddr = "10.213.0.1:7443".parse().unwrap();
        let faults = [
            (Flow::with(gateway), Effect::Cut),
            (Flow::everything().inbound(), Effect::Lose(30.0)),
            (Flow::everything().outbound(), Effect::Delay(Duration::from_millis(200))),
        ];

        assert_eq!(
            rules(&faults),
            "*mangle\n:ISTHMUS-IN - [0:0]\n:ISTHMUS-OUT - [0:0]\n\
             -A ISTHMUS-IN -s 10.213.0.1 -p tcp --sport 7443 -j DROP\n\
             -A ISTHMUS-OUT -d 10.213.0.1 -p tcp --dport 7443 -j DROP\n\
             -A ISTHMUS-IN -m statistic --mode random --probability 0.3 -j DROP\n\
             -A ISTHMUS-OUT -j NFQUEUE --queue-num 2\n\
             COMMIT\n"
        );
        assert_eq!(delays(&faults), [(2, Duration::from_millis(200))]);
    }
}
