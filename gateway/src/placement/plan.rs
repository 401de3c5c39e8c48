//! The decision itself: filter, score, spread and divide. Reserving is what the store does with the result.

use std::sync::Arc;

use hashbrown::HashMap;
use isthmus_model::policy::{Mode, Spread};
use isthmus_model::reason::Reason;
use isthmus_model::resources::Capacity;

use super::divide::{Part, divide};
use super::score::{Score, score};
use super::{ClusterId, Demand, PulsarId, Refusal, Refusals, Site, Sites, filter, spread};

/// What a component has in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// Where.
    pub cluster: ClusterId,
    /// Instances to run.
    pub replicas: u32,
    /// Instances that room is reserved for.
    pub reserved: u32,
    /// What each of those takes.
    pub each: Capacity,
    /// It shall not run there any more, and only its room is still taken.
    pub leaving: bool,
}

/// What a component shall have in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Where.
    pub cluster: ClusterId,
    /// With which PulsarCluster.
    pub pulsar: PulsarId,
    /// Instances to run.
    pub replicas: u32,
    /// Instances to reserve room for.
    pub reserved: u32,
}

/// Where a component runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// In these clusters, by name, and in no other.
    Placed {
        /// Its shares.
        shares: Vec<Share>,
        /// Reasons of the clusters that it would like to have, too; `None` if it wants no more.
        waits: Option<Refusals>,
    },
    /// It has no place as it should. What runs stays as it is, except where it must not be.
    Parked {
        /// Where it must not be by the policy's own words.
        leave: Vec<ClusterId>,
        /// Why no cluster will do.
        refusals: Refusals,
    },
}

/// A cluster that may run the component.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) rank: usize,
    pub(crate) cluster: ClusterId,
    pub(crate) pulsar: PulsarId,
    pub(crate) score: Score,
    /// Instances that find room: in mode Divided as many as do, else as many as have to.
    pub(crate) room: u32,
    /// What it has there now: replicas and reserved.
    pub(crate) has: Option<(u32, u32)>,
}

/// The clusters that may run the component; of those that a component with one place may choose from, only the best.
#[derive(Debug)]
struct Pool {
    candidates: Vec<Candidate>,
    best_only: bool,
}

impl Pool {
    fn new(demand: &Demand) -> Self {
        let best_only = demand.policy.mode == Mode::Singleton && demand.policy.spread.is_empty();
        Self { candidates: Vec::new(), best_only }
    }

    fn extend(&mut self, candidate: Option<Candidate>) {
        let Some(candidate) = candidate else { return };
        match self.candidates.first_mut() {
            Some(best) if self.best_only => {
                if candidate.score > best.score {
                    *best = candidate;
                }
            }
            Some(_) | None => self.candidates.push(candidate),
        }
    }
}

/// Hears why: the report listens, the hot path does not.
pub(crate) trait Trace {
    fn refused(&mut self, rank: usize, refusal: &Refusal<'_>);
    fn scored(&mut self, rank: usize, score: Score);
    fn unmet(&mut self, spread: Option<&Spread>);
}

impl Trace for () {
    fn refused(&mut self, _: usize, _: &Refusal<'_>) {}
    fn scored(&mut self, _: usize, _: Score) {}
    fn unmet(&mut self, _: Option<&Spread>) {}
}

/// Which clusters may run a demand, capacity left aside: remembered, because many components demand the same and clusters
/// change seldom. It changes no decision.
#[derive(Debug, Default)]
pub struct Cache {
    version: u64,
    /// By the address of the demand, which `Admitted` keeps from being another's.
    admitted: HashMap<usize, Admitted>,
}

#[derive(Debug, Clone)]
struct Admitted {
    _demand: Arc<Demand>,
    sites: Arc<[(usize, PulsarId)]>,
    refusals: Refusals,
}

/// Demands that are remembered.
const CACHED: usize = 4096;

impl Cache {
    fn admitted(&mut self, sites: &Sites, demand: &Arc<Demand>) -> (Arc<[(usize, PulsarId)]>, Refusals) {
        if self.version != sites.version() || self.admitted.len() >= CACHED {
            self.admitted.clear();
            self.version = sites.version();
        }
        let entry = self.admitted.entry(Arc::as_ptr(demand).addr()).or_insert_with(|| {
            let (sites, refusals) = admitted(sites, demand, &mut ());
            Admitted { _demand: demand.clone(), sites, refusals }
        });
        (entry.sites.clone(), entry.refusals)
    }
}

fn admitted(sites: &Sites, demand: &Demand, trace: &mut impl Trace) -> (Arc<[(usize, PulsarId)]>, Refusals) {
    let mut refusals = Refusals::default();
    let mut admit = |(rank, site): (usize, &Site)| match filter::admits(sites, site, demand, false) {
        Ok(pulsar) => Some((rank, pulsar)),
        Err(refusal) => {
            refusals.insert(refusal.reason());
            trace.refused(rank, &refusal);
            None
        }
    };
    let admitted = sites.all().iter().enumerate().filter_map(&mut admit).collect();
    (admitted, refusals)
}

/// Decides where a component runs that demands this and has `current`. Pure and deterministic; planning again what was
/// decided changes nothing.
pub fn plan(sites: &Sites, demand: &Arc<Demand>, current: &[Current], cache: &mut Cache) -> Decision {
    let (admitted, refusals) = cache.admitted(sites, demand);
    decide(sites, demand, current, &admitted, refusals, &mut ())
}

/// The same, without a cache and with somebody listening.
pub(crate) fn plan_traced(
    sites: &Sites,
    demand: &Demand,
    current: &[Current],
    trace: &mut impl Trace,
) -> Decision {
    let (admitted, refusals) = admitted(sites, demand, trace);
    decide(sites, demand, current, &admitted, refusals, trace)
}

fn decide(
    sites: &Sites,
    demand: &Demand,
    current: &[Current],
    admitted: &[(usize, PulsarId)],
    mut refusals: Refusals,
    trace: &mut impl Trace,
) -> Decision {
    if sites.all().is_empty() {
        return park(sites, demand, current, [Reason::NoClusters].into_iter().collect());
    }
    let mut pool = Pool::new(demand);
    for current in current.iter().filter(|current| !current.leaving) {
        let Some((rank, site)) = sites.rank(current.cluster).zip(sites.get(current.cluster)) else {
            continue;
        };
        match filter::admits(sites, site, demand, true) {
            Ok(pulsar) => {
                pool.extend(candidate(site, rank, pulsar, demand, Some(current), &mut refusals, trace));
            }
            Err(refusal) => {
                refusals.insert(refusal.reason());
                trace.refused(rank, &refusal);
            }
        }
    }
    for (rank, pulsar) in admitted {
        let Some(site) = sites.all().get(*rank) else { continue };
        let here = current.iter().find(|current| current.cluster == site.id);
        if here.is_none_or(|here| here.leaving) {
            pool.extend(candidate(site, *rank, *pulsar, demand, here, &mut refusals, trace));
        }
    }
    let candidates = pool.candidates;
    let chosen = match demand.policy.mode {
        Mode::Singleton => singleton(sites, &candidates, demand),
        Mode::Replicated => replicated(sites, &candidates, demand),
        Mode::Divided => divided(sites, &candidates, demand),
    };
    match chosen {
        Ok(mut shares) => {
            shares.sort_by_key(|share| sites.rank(share.cluster));
            let open = demand.policy.mode == Mode::Replicated && shares.len() < most(demand);
            if open && shares.len() < candidates.len() {
                refusals.insert(Reason::SpreadUnsatisfied);
            }
            Decision::Placed { shares, waits: open.then_some(refusals) }
        }
        Err(unmet) => {
            trace.unmet(unmet);
            if unmet.is_some() {
                refusals.insert(Reason::SpreadUnsatisfied);
            } else if !candidates.is_empty() {
                refusals.insert(Reason::InsufficientCapacity);
            }
            park(sites, demand, current, refusals)
        }
    }
}

fn candidate(
    site: &Site,
    rank: usize,
    pulsar: PulsarId,
    demand: &Demand,
    here: Option<&Current>,
    refusals: &mut Refusals,
    trace: &mut impl Trace,
) -> Option<Candidate> {
    // Divided needs room for one, and to know for how many there is; the other modes need it for all.
    let divided = demand.policy.mode == Mode::Divided;
    let count = if divided { demand.reserved().min(1) } else { demand.reserved() };
    let room = if divided { filter::fits(site, demand, here) } else { count };
    if room < count || !(divided || filter::has_room(site, demand, count, here)) {
        refusals.insert(Reason::InsufficientCapacity);
        trace.refused(rank, &Refusal::Capacity { free: filter::room(site, here), each: demand.each, count });
        return None;
    }
    let here = here.filter(|here| !here.leaving);
    let score = score(site, rank, demand, here.is_some());
    trace.scored(rank, score);
    let has = here.map(|here| (here.replicas, here.reserved));
    Some(Candidate { rank, cluster: site.id, pulsar, score, room, has })
}

/// The constraint that cannot be met; `None` when there is too little room.
type Unmet<'d> = Option<&'d Spread>;

fn singleton<'d>(
    sites: &Sites,
    candidates: &[Candidate],
    demand: &'d Demand,
) -> Result<Vec<Share>, Unmet<'d>> {
    if demand.policy.spread.is_empty() {
        return Ok(vec![whole(candidates.first().ok_or(None)?, demand)]);
    }
    let chosen = spread::select(sites, candidates, demand, (1, 1), false)?;
    Ok(pick(candidates, &chosen).map(|candidate| whole(candidate, demand)).collect())
}

fn replicated<'d>(
    sites: &Sites,
    candidates: &[Candidate],
    demand: &'d Demand,
) -> Result<Vec<Share>, Unmet<'d>> {
    let chosen = spread::select(sites, candidates, demand, (least(demand), most(demand)), true)?;
    Ok(pick(candidates, &chosen).map(|candidate| whole(candidate, demand)).collect())
}

fn divided<'d>(sites: &Sites, candidates: &[Candidate], demand: &'d Demand) -> Result<Vec<Share>, Unmet<'d>> {
    let replicas = usize::try_from(demand.replicas.max(1)).unwrap_or(usize::MAX);
    let bounds = (least(demand), most(demand).min(replicas));
    if bounds.1 < bounds.0 {
        return Err(None);
    }
    let attempt = |grows| {
        let chosen = spread::select(sites, candidates, demand, bounds, grows)?;
        let chosen: Vec<&Candidate> = pick(candidates, &chosen).collect();
        share_out(sites, &chosen, demand)
    };
    // Where it is, if it fits there; only else in more places.
    attempt(false).or_else(|_| attempt(true))
}

/// Shares of a divided component over the chosen clusters.
fn share_out<'d>(sites: &Sites, chosen: &[&Candidate], demand: &'d Demand) -> Result<Vec<Share>, Unmet<'d>> {
    let skew = demand.policy.spread.iter().find(|spread| spread.max_skew > 0);
    let within = |counts: &[u32]| {
        let Some(spread) = skew.filter(|spread| !spread.soft) else { return Ok(()) };
        let groups = grouped(sites, chosen, spread);
        let sums: Vec<u32> =
            groups.iter().map(|group| group.iter().filter_map(|at| counts.get(*at)).sum()).collect();
        let (most, least) = (sums.iter().max().copied(), sums.iter().min().copied());
        let wide = most.zip(least).is_some_and(|(most, least)| most - least > spread.max_skew);
        if wide { Err(Some(spread)) } else { Ok(()) }
    };
    // What runs as it should is left as it is, whatever an even division would be.
    let has: Vec<u32> = chosen.iter().map(|one| one.has.map_or(0, |has| has.0)).collect();
    let holds: Vec<u32> = chosen.iter().map(|one| one.has.map_or(0, |has| has.1)).collect();
    let unchanged = has.iter().sum::<u32>() == demand.replicas
        && holds.iter().sum::<u32>() == demand.reserved()
        && chosen.iter().zip(&holds).all(|(one, holds)| one.has.is_some() && *holds <= one.room)
        && within(&has).is_ok();
    if unchanged {
        return Ok(shares(chosen, &has, &holds));
    }
    let over = |total: u32, room: &[u32], has: &[u32]| {
        let part = |at: usize| Part {
            room: room.get(at).copied().unwrap_or(0),
            has: has.get(at).copied().unwrap_or(0),
        };
        let Some(spread) = skew else {
            return divide(total, &(0..chosen.len()).map(part).collect::<Vec<_>>());
        };
        // Evenly over the groups first, then within each.
        let groups = grouped(sites, chosen, spread);
        let sum = |group: &Vec<usize>| {
            group.iter().map(|at| part(*at)).fold(Part { room: 0, has: 0 }, |sum, part| Part {
                room: sum.room.saturating_add(part.room),
                has: sum.has.saturating_add(part.has),
            })
        };
        let totals = divide(total, &groups.iter().map(sum).collect::<Vec<_>>())?;
        let mut counts = vec![0; chosen.len()];
        for (group, total) in groups.iter().zip(totals) {
            let parts: Vec<Part> = group.iter().map(|at| part(*at)).collect();
            for (at, share) in group.iter().zip(divide(total, &parts)?) {
                if let Some(count) = counts.get_mut(*at) {
                    *count = share;
                }
            }
        }
        Some(counts)
    };
    let room: Vec<u32> = chosen.iter().map(|one| one.room).collect();
    let reserved = over(demand.reserved(), &room, &holds).ok_or(None)?;
    let replicas = over(demand.replicas, &reserved, &has).ok_or(None)?;
    within(&replicas)?;
    Ok(shares(chosen, &replicas, &reserved))
}

fn shares(chosen: &[&Candidate], replicas: &[u32], reserved: &[u32]) -> Vec<Share> {
    let share = |((one, replicas), reserved): ((&&Candidate, &u32), &u32)| Share {
        cluster: one.cluster,
        pulsar: one.pulsar,
        replicas: *replicas,
        reserved: *reserved,
    };
    chosen.iter().zip(replicas).zip(reserved).map(share).collect()
}

/// Positions of the chosen, by group. Those without the label are a group of their own.
fn grouped(sites: &Sites, chosen: &[&Candidate], spread: &Spread) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
    for (at, one) in chosen.iter().enumerate() {
        let name = spread::group(sites, one.rank, spread);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(at),
            None => groups.push((name, vec![at])),
        }
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn pick<'c>(candidates: &'c [Candidate], chosen: &[usize]) -> impl Iterator<Item = &'c Candidate> {
    chosen.iter().filter_map(|at| candidates.get(*at))
}

fn whole(candidate: &Candidate, demand: &Demand) -> Share {
    Share {
        cluster: candidate.cluster,
        pulsar: candidate.pulsar,
        replicas: demand.replicas,
        reserved: demand.reserved(),
    }
}

fn least(demand: &Demand) -> usize {
    demand.policy.min_clusters.max(1) as usize
}

fn most(demand: &Demand) -> usize {
    match demand.policy.max_clusters {
        0 => usize::MAX,
        most => most as usize,
    }
}

/// Nothing will do: what runs stays, but not where the policy or the PulsarCluster that it names rule it out, since that is
/// what the user said.
fn park(sites: &Sites, demand: &Demand, current: &[Current], refusals: Refusals) -> Decision {
    let ruled_out = |current: &&Current| {
        let refused = sites.get(current.cluster).map(|site| filter::admits(sites, site, demand, true));
        !current.leaving && matches!(refused, Some(Err(Refusal::Selector(_) | Refusal::PulsarNotLinked(_))))
    };
    let leave = current.iter().filter(ruled_out).map(|current| current.cluster).collect();
    Decision::Parked { leave, refusals }
}
