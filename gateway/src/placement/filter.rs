//! Which clusters may run a component, and why not the others.

use isthmus_model::cluster::Health;
use isthmus_model::policy::{Taint, TaintEffect};
use isthmus_model::resources::Capacity;

use super::plan::Current;
use super::{Demand, PulsarId, Refusal, Site, Sites};

/// Whether a cluster may run this at all, capacity left aside; then with which PulsarCluster.
///
/// Where the component is already (`here`), only what says that it must not be there counts: a cordon, a weak session or a
/// taint that keeps new things out are no reason to take away what runs.
pub(crate) fn admits<'a>(
    sites: &Sites,
    site: &'a Site,
    demand: &'a Demand,
    here: bool,
) -> Result<PulsarId, Refusal<'a>> {
    let cluster = &site.cluster;
    demand.policy.clusters.check(cluster.name.as_str(), &cluster.labels).map_err(Refusal::Selector)?;
    let pulsar = match &demand.pulsar {
        Some(name) if cluster.links.contains_key(name) => {
            sites.pulsar(name).ok_or(Refusal::PulsarNotLinked(name))?
        }
        Some(name) => return Err(Refusal::PulsarNotLinked(name)),
        None => cluster
            .default_pulsar
            .as_ref()
            .and_then(|name| sites.pulsar(name))
            .ok_or(Refusal::NoDefaultPulsar)?,
    };
    let capable = demand.runtime.is_empty()
        || cluster.declared.capabilities.iter().any(|word| **word == *demand.runtime);
    if !capable {
        return Err(Refusal::Capability(&demand.runtime));
    }
    // Also where it is already: what cannot be opened there cannot be started there again.
    if !demand.sealed_for.is_empty() {
        let key = cluster.declared.sealing_key.map(|key| key.id());
        if key.is_none_or(|key| !demand.sealed_for.contains(&key)) {
            return Err(Refusal::NotSealed(key));
        }
    }
    let keeps_out = |taint: &&Taint| match taint.effect {
        TaintEffect::NoPlace => !here,
        TaintEffect::PreferNoPlace => false,
        TaintEffect::Evict => true,
    };
    if let Some(taint) = cluster.taints.iter().filter(keeps_out).find(|taint| !tolerates(demand, taint)) {
        return Err(Refusal::Taint(taint));
    }
    if here {
        return Ok(pulsar);
    }
    if cluster.cordoned {
        return Err(Refusal::Cordoned);
    }
    match site.health {
        Health::Healthy => Ok(pulsar),
        health @ (Health::Suspect | Health::Disconnected) => Err(Refusal::Health(health)),
    }
}

/// Whether nothing speaks against a cluster that may be used.
pub(crate) fn preferred(site: &Site, demand: &Demand) -> bool {
    let mut reluctant = site.cluster.taints.iter().filter(|taint| taint.effect == TaintEffect::PreferNoPlace);
    reluctant.all(|taint| tolerates(demand, taint))
}

fn tolerates(demand: &Demand, taint: &Taint) -> bool {
    demand.policy.tolerations.iter().any(|toleration| toleration.tolerates(taint))
}

/// What may be reserved for this component in a cluster, its own present share counted as free.
pub(crate) fn room(site: &Site, here: Option<&Current>) -> Capacity {
    let own = here.map_or_else(Capacity::default, |current| current.each.times(current.reserved));
    site.cluster.declared.capacity.minus(site.reserved().minus(own))
}

/// Whether so many instances find room: what `fits` counts, without dividing.
pub(crate) fn has_room(site: &Site, demand: &Demand, count: u32, here: Option<&Current>) -> bool {
    let (need, free) = (demand.each.times(count), room(site, here));
    let enough = need.cpu_millis <= free.cpu_millis
        && need.memory_bytes <= free.memory_bytes
        && need.instances <= free.instances;
    enough || here.is_some_and(|here| here.each == demand.each && count <= here.reserved)
}

/// How many instances find room. What is reserved already has room, even where a cluster has shrunk since.
pub(crate) fn fits(site: &Site, demand: &Demand, here: Option<&Current>) -> u32 {
    let reserved = here.filter(|current| current.each == demand.each).map_or(0, |current| current.reserved);
    room(site, here).fits(demand.each).max(reserved)
}
