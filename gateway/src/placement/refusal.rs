//! Why a cluster may not run a component: the reason, the sentence for people, and what would have to change.

use isthmus_model::cluster::{Cluster, Health};
use isthmus_model::name::PulsarClusterName;
use isthmus_model::policy::{Requirement, Spread, Taint};
use isthmus_model::reason::Reason;
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::SealingKeyId;

/// Why one cluster may not run a component. It borrows what it speaks of, so that a refusal nobody reads costs nothing.
#[derive(Debug, Clone, Copy)]
pub enum Refusal<'a> {
    /// The policy's selector does not mean this cluster.
    Selector(&'a Requirement),
    /// It is not linked to the PulsarCluster that the component names.
    PulsarNotLinked(&'a PulsarClusterName),
    /// The component names no PulsarCluster, and this cluster has no default.
    NoDefaultPulsar,
    /// Its agent did not declare this capability.
    Capability(&'a str),
    /// The component's secrets are not sealed for the key that it has, if it has one.
    NotSealed(Option<SealingKeyId>),
    /// It has a taint that the component does not tolerate.
    Taint(&'a Taint),
    /// An operator cordoned it.
    Cordoned,
    /// Its agent is not well connected.
    Health(Health),
    /// Too little of it is free.
    Capacity {
        /// What is free.
        free: Capacity,
        /// What one instance takes.
        each: Capacity,
        /// Instances to find room for.
        count: u32,
    },
    /// It would break a spread constraint.
    Spread(&'a Spread),
}

impl Refusal<'_> {
    /// The reason word.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Selector(_) => Reason::SelectorMismatch,
            Self::PulsarNotLinked(_) | Self::NoDefaultPulsar => Reason::PulsarNotLinked,
            Self::Capability(_) => Reason::MissingCapability,
            Self::NotSealed(_) => Reason::NotSealed,
            Self::Taint(_) => Reason::UntoleratedTaint,
            Self::Cordoned => Reason::Cordoned,
            Self::Health(_) => Reason::Disconnected,
            Self::Capacity { .. } => Reason::InsufficientCapacity,
            Self::Spread(_) => Reason::SpreadUnsatisfied,
        }
    }

    /// What is wrong, as a sentence.
    pub fn sentence(&self, cluster: &Cluster) -> String {
        match self {
            Self::Selector(requirement) => format!("its labels do not meet {requirement}"),
            Self::PulsarNotLinked(pulsar) => format!("it is not linked to the PulsarCluster {pulsar}"),
            Self::NoDefaultPulsar => {
                "it has no default PulsarCluster, and the component names none".to_owned()
            }
            Self::Capability(word) => {
                let has = cluster.declared.capabilities.join(", ");
                let has = if has.is_empty() { "nothing" } else { &has };
                format!("its agent cannot run {word}; it declares {has}")
            }
            Self::NotSealed(Some(key)) => {
                format!(
                    "the component's secrets are not sealed for its key {key}; it joined, or made that key, since"
                )
            }
            Self::NotSealed(None) => {
                "its agent has no key that the component's secrets could be sealed for".to_owned()
            }
            Self::Taint(taint) => format!("its taint {taint} is not tolerated"),
            Self::Cordoned => "it is cordoned".to_owned(),
            Self::Health(Health::Suspect) => "its agent misses heartbeats".to_owned(),
            Self::Health(_) => "its agent is not connected".to_owned(),
            Self::Capacity { free, each, count } => {
                let total = each.times(*count);
                let lacks = [
                    (
                        "cpu",
                        format!("{}m", total.cpu_millis),
                        format!("{}m", free.cpu_millis),
                        total.cpu_millis > free.cpu_millis,
                    ),
                    (
                        "memory",
                        bytes(total.memory_bytes),
                        bytes(free.memory_bytes),
                        total.memory_bytes > free.memory_bytes,
                    ),
                    (
                        "instances",
                        total.instances.to_string(),
                        free.instances.to_string(),
                        total.instances > free.instances,
                    ),
                ];
                let lacks: Vec<String> = lacks
                    .into_iter()
                    .filter(|(.., lacking)| *lacking)
                    .map(|(what, need, free, _)| format!("{what}: {need} needed, {free} free"))
                    .collect();
                format!("too little is free ({})", lacks.join("; "))
            }
            Self::Spread(spread) => format!("it would break the spread over {}", spread.key),
        }
    }

    /// What would have to change for it to be taken into account.
    pub fn remedy(&self, cluster: &Cluster) -> String {
        let name = &cluster.name;
        match self {
            Self::Selector(requirement) => {
                format!("label cluster {name} so that {requirement} holds, or change the policy's selector")
            }
            Self::PulsarNotLinked(pulsar) => format!("link cluster {name} to {pulsar}"),
            Self::NoDefaultPulsar => {
                format!("link cluster {name} to a PulsarCluster, or name one in the component")
            }
            Self::Capability(word) => {
                format!("install what {word} needs at cluster {name} and restart its agent")
            }
            Self::NotSealed(Some(_)) => {
                format!(
                    "apply the component again with the values of its secrets, so that they are sealed for cluster {name}"
                )
            }
            Self::NotSealed(None) => format!("upgrade the agent of cluster {name}"),
            Self::Taint(taint) => {
                format!("add a toleration for {taint}, or remove the taint from cluster {name}")
            }
            Self::Cordoned => format!("uncordon cluster {name}"),
            Self::Health(_) => format!("bring the agent of cluster {name} back"),
            Self::Capacity { .. } => format!("free or add capacity at cluster {name}, or lower the requests"),
            Self::Spread(spread) => {
                format!("add clusters in other groups of {}, or relax the constraint", spread.key)
            }
        }
    }
}

fn bytes(count: u64) -> String {
    const MIB: u64 = 1 << 20;
    if count >= MIB { format!("{}Mi", count / MIB) } else { count.to_string() }
}

/// A set of the reasons for which clusters refused a component: what has to change before looking again is worth it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Refusals(u32);

impl Refusals {
    /// What can be in it. The position of each is its bit in the log and must not change.
    pub const REASONS: [Reason; 11] = [
        Reason::NoClusters,
        Reason::SelectorMismatch,
        Reason::PulsarNotLinked,
        Reason::MissingCapability,
        Reason::UntoleratedTaint,
        Reason::Cordoned,
        Reason::Disconnected,
        Reason::InsufficientCapacity,
        Reason::SpreadUnsatisfied,
        Reason::QuotaExceeded,
        Reason::NotSealed,
    ];

    /// As it is logged.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// As it was logged.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Takes a reason in. Reasons that are not about placement are not kept.
    pub fn insert(&mut self, reason: Reason) {
        if let Some(bit) = Self::position(reason) {
            self.0 |= 1 << bit;
        }
    }

    /// Whether a reason is in it.
    pub fn contains(self, reason: Reason) -> bool {
        Self::position(reason).is_some_and(|bit| self.0 & 1 << bit != 0)
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons, in their order here.
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Self::REASONS.into_iter().filter(move |reason| self.contains(*reason))
    }

    /// Both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn position(reason: Reason) -> Option<usize> {
        Self::REASONS.iter().position(|known| *known == reason)
    }
}

impl FromIterator<Reason> for Refusals {
    fn from_iter<I: IntoIterator<Item = Reason>>(reasons: I) -> Self {
        let mut set = Self::default();
        reasons.into_iter().for_each(|reason| set.insert(reason));
        set
    }
}
