//! Clusters, their links, and the Pulsar clusters behind these.

use isthmus_model::cluster::{Cluster, Declared, Health, Link};
use isthmus_model::name::PulsarClusterName;
use isthmus_model::policy::Taint;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::reason::Reason;
use isthmus_model::resources::Capacity;
use isthmus_model::sealed::SealingKey;

use super::problems::{Invalid, Path, Problems};
use super::{names, placement, time};
use crate::cluster::v1 as wire;
use crate::sync::v1::Declaration;

impl From<Cluster> for wire::Cluster {
    /// Everything that the log knows of a cluster. What only its session knows (reservations, health, sets, held removals) is
    /// left at zero for who holds the session to fill in.
    fn from(cluster: Cluster) -> Self {
        let Cluster { name, labels, taints, cordoned, links, default_pulsar, declared, joined_at, log_index } =
            cluster;
        let Declared { version, capabilities, capacity, sealing_key } = declared;
        Self {
            name: name.into(),
            labels: names::wire_labels(labels),
            taints: taints.into_iter().map(Into::into).collect(),
            cordoned,
            links: links.into_iter().map(Into::into).collect(),
            default_pulsar_cluster: default_pulsar.map(Into::into).unwrap_or_default(),
            agent_version: version,
            capabilities,
            capacity: Some(capacity.into()),
            sealing_key: sealing_key.map(Into::into),
            join_time: Some(time::timestamp(joined_at)),
            log_index: log_index.0,
            ..Self::default()
        }
    }
}

impl From<&Cluster> for wire::Cluster {
    fn from(cluster: &Cluster) -> Self {
        cluster.clone().into()
    }
}

/// Taints as they come over the wire, all wrong ones named under `taints[…]`.
pub fn taints(taints: Vec<wire::Taint>) -> Result<Vec<Taint>, Invalid> {
    let mut problems = Problems::default();
    let taints = placement::each(taints, &Path::ROOT.field("taints"), &mut problems, placement::taint);
    problems.finish(taints)
}

impl From<(PulsarClusterName, Link)> for wire::Link {
    fn from((pulsar_cluster, Link { service_url, admin_url }): (PulsarClusterName, Link)) -> Self {
        Self {
            pulsar_cluster: pulsar_cluster.into(),
            service_url: service_url.unwrap_or_default(),
            admin_url: admin_url.unwrap_or_default(),
        }
    }
}

/// A link and where it leads.
pub fn link(link: wire::Link) -> Result<(PulsarClusterName, Link), Invalid> {
    let wire::Link { pulsar_cluster, service_url, admin_url } = link;
    let given = |text: String| (!text.is_empty()).then_some(text);
    let mut problems = Problems::default();
    let at = Path::ROOT.field("link");
    match problems.parse(&at.field("pulsarCluster"), &pulsar_cluster) {
        Some(name) => Ok((name, Link { service_url: given(service_url), admin_url: given(admin_url) })),
        None => Err(problems.into()),
    }
}

impl From<SealingKey> for wire::SealingKey {
    fn from(key: SealingKey) -> Self {
        Self { id: key.id().0.to_vec(), public_key: key.0.to_vec() }
    }
}

impl From<Capacity> for wire::Capacity {
    fn from(Capacity { cpu_millis, memory_bytes, instances }: Capacity) -> Self {
        Self { cpu_millis, memory_bytes, instances }
    }
}

impl From<wire::Capacity> for Capacity {
    fn from(wire::Capacity { cpu_millis, memory_bytes, instances }: wire::Capacity) -> Self {
        Self { cpu_millis, memory_bytes, instances }
    }
}

impl From<Declared> for Declaration {
    fn from(Declared { version, capabilities, capacity, sealing_key }: Declared) -> Self {
        let sealing_key = sealing_key.map(|key| key.0.to_vec().into()).unwrap_or_default();
        Self { version, capabilities, capacity: Some(capacity.into()), sealing_key }
    }
}

impl TryFrom<Declaration> for Declared {
    type Error = Invalid;

    fn try_from(declaration: Declaration) -> Result<Self, Invalid> {
        let Declaration { version, capabilities, capacity, sealing_key } = declaration;
        let missing = || Invalid::one("capacity", Reason::MissingField, "say what may be reserved");
        let wrong = |error: isthmus_model::name::Invalid| {
            Invalid::one("sealingKey", Reason::InvalidField, error.rule)
        };
        let key = |bytes: &[u8]| SealingKey::from_slice(bytes).map_err(wrong);
        Ok(Self {
            version,
            capabilities,
            capacity: capacity.ok_or_else(missing)?.into(),
            sealing_key: (!sealing_key.is_empty()).then(|| key(&sealing_key)).transpose()?,
        })
    }
}

impl From<Health> for wire::Health {
    fn from(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Healthy,
            Health::Suspect => Self::Suspect,
            Health::Disconnected => Self::Disconnected,
        }
    }
}

impl From<PulsarCluster> for wire::PulsarCluster {
    fn from(cluster: PulsarCluster) -> Self {
        let PulsarCluster { name, service_url, admin_url, pulsar_name, state_service_url, peers } = cluster;
        Self {
            name: name.into(),
            service_url,
            admin_url,
            pulsar_name,
            state_service_url,
            peers: peers.into_iter().map(Into::into).collect(),
            log_index: 0,
        }
    }
}

impl From<&PulsarCluster> for wire::PulsarCluster {
    fn from(cluster: &PulsarCluster) -> Self {
        cluster.clone().into()
    }
}

impl TryFrom<wire::PulsarCluster> for PulsarCluster {
    type Error = Invalid;

    fn try_from(cluster: wire::PulsarCluster) -> Result<Self, Invalid> {
        let wire::PulsarCluster {
            name,
            service_url,
            admin_url,
            pulsar_name,
            state_service_url,
            peers,
            log_index: _,
        } = cluster;
        let mut problems = Problems::default();
        let at = Path::ROOT.field("pulsarCluster");
        let peer = |name: String, at: &Path<'_>, problems: &mut Problems| problems.parse(at, &name);
        let peers = placement::each(peers, &at.field("peers"), &mut problems, peer);
        match problems.parse(&at.field("name"), &name) {
            Some(name) => {
                problems.finish(Self { name, service_url, admin_url, pulsar_name, state_service_url, peers })
            }
            None => Err(problems.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulsar_cluster_and_a_link_come_back_unchanged() {
        let cluster = PulsarCluster {
            name: "east".parse().unwrap(),
            service_url: "pulsar://east:6650".into(),
            admin_url: "http://east:8080".into(),
            pulsar_name: "standalone".into(),
            state_service_url: "bk://east:4181".into(),
            peers: vec!["west".parse().unwrap()],
        };
        assert_eq!(PulsarCluster::try_from(wire::PulsarCluster::from(&cluster)), Ok(cluster));
        let there = Link { service_url: Some("pulsar://localhost:1".into()), admin_url: None };
        let named = (PulsarClusterName::new("east").unwrap(), there);
        assert_eq!(link(named.clone().into()), Ok(named));
    }

    #[test]
    fn wrong_taints_and_peers_are_all_named() {
        let wrong = wire::Taint { key: " ".into(), value: String::new(), effect: 0 };
        let fields =
            |Invalid(violations): Invalid| violations.into_iter().map(|v| v.field).collect::<Vec<_>>();
        assert_eq!(fields(taints(vec![wrong]).unwrap_err()), ["taints[0].key", "taints[0].effect"]);
        let wrong = wire::PulsarCluster { peers: vec!["ok".into(), "NO".into()], ..Default::default() };
        assert_eq!(
            fields(PulsarCluster::try_from(wrong).unwrap_err()),
            ["pulsarCluster.peers[1]", "pulsarCluster.name"]
        );
    }
}
