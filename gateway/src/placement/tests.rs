//! What must hold of every plan, whatever the clusters and the demand.

use std::collections::BTreeMap;
use std::sync::Arc;

use isthmus_model::cluster::{Cluster, Declared, Health, Link};
use isthmus_model::name::{ClusterName, PulsarClusterName};
use isthmus_model::order::{LogIndex, UnixMillis};
use isthmus_model::policy::{Mode, Operator, Placement, Requirement, Selector, Spread, Taint, TaintEffect};
use isthmus_model::resources::Capacity;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
struct Given {
    room: u64,
    taken: u64,
    zone: u8,
    healthy: bool,
    cordoned: bool,
    linked: bool,
    taint: Option<TaintEffect>,
}

fn given() -> impl Strategy<Value = Given> {
    let taint = proptest::option::weighted(
        0.3,
        prop_oneof![Just(TaintEffect::NoPlace), Just(TaintEffect::PreferNoPlace), Just(TaintEffect::Evict)],
    );
    let often = || proptest::bool::weighted(0.85);
    (0u64..12, 0u64..6, 0u8..3, often(), proptest::bool::weighted(0.1), often(), taint).prop_map(
        |(room, taken, zone, healthy, cordoned, linked, taint)| Given {
            room,
            taken: taken.min(room),
            zone,
            healthy,
            cordoned,
            linked,
            taint,
        },
    )
}

fn demand() -> impl Strategy<Value = Arc<Demand>> {
    let mode = prop_oneof![Just(Mode::Singleton), Just(Mode::Divided), Just(Mode::Replicated)];
    let spread =
        (0u32..3, 0u32..3, 0u32..3, any::<bool>()).prop_map(|(min_groups, max_groups, max_skew, soft)| {
            Spread { key: "zone".parse().unwrap(), min_groups, max_groups, max_skew, soft }
        });
    let zones = proptest::option::weighted(0.3, 0u8..3);
    (0u32..9, 0u32..3, mode, 0u32..3, 0u32..4, proptest::collection::vec(spread, 0..2), zones).prop_map(
        |(replicas, extra, mode, min_clusters, max_clusters, spread, zone)| {
            let clusters = zone.map(|zone| Requirement {
                key: "zone".parse().unwrap(),
                operator: Operator::NotIn,
                values: vec![zone.to_string()],
            });
            let policy = Placement {
                clusters: Selector(clusters.into_iter().collect()),
                mode,
                spread,
                min_clusters,
                max_clusters,
                ..Placement::default()
            };
            Arc::new(Demand {
                runtime: "java".into(),
                replicas,
                reserved: replicas + extra,
                each: Capacity { cpu_millis: 10, memory_bytes: 0, instances: 1 },
                pulsar: None,
                policy,
                sealed_for: Box::default(),
            })
        },
    )
}

fn name(at: usize) -> ClusterName {
    format!("cluster-{at}").parse().unwrap()
}

/// Ids in the order in which they join, names in the order in which they are given.
fn sites(given: &[Given], order: impl Iterator<Item = usize>) -> Sites {
    let mut sites = Sites::default();
    let pulsar: PulsarClusterName = "main".parse().unwrap();
    sites.put_pulsar(PulsarId(0), pulsar.clone());
    for (joined, at) in order.enumerate() {
        let one = &given[at];
        let capacity = Capacity { cpu_millis: one.room * 10, memory_bytes: 0, instances: one.room };
        let taint = |effect| Taint { key: "k".parse().unwrap(), value: String::new(), effect };
        let links = if one.linked { vec![(pulsar.clone(), Link::default())] } else { Vec::new() };
        let cluster = Cluster {
            name: name(at),
            labels: [("zone".parse().unwrap(), one.zone.to_string().parse().unwrap())].into(),
            taints: one.taint.map(taint).into_iter().collect(),
            cordoned: one.cordoned,
            default_pulsar: links.first().map(|(name, _)| name.clone()),
            links: links.into_iter().collect::<BTreeMap<_, _>>(),
            declared: Declared { capabilities: vec!["java".to_owned()], capacity, ..Declared::default() },
            joined_at: UnixMillis(0),
            log_index: LogIndex(0),
        };
        let health = if one.healthy { Health::Healthy } else { Health::Suspect };
        let id = ClusterId(u32::try_from(joined).unwrap());
        sites.put(id, Arc::new(cluster), health);
        sites.reserve(
            id,
            Capacity { cpu_millis: 10, memory_bytes: 0, instances: 1 }
                .times(u32::try_from(one.taken).unwrap()),
        );
    }
    sites
}

fn shares(decision: &Decision) -> &[Share] {
    match decision {
        Decision::Placed { shares, .. } => shares,
        Decision::Parked { .. } => &[],
    }
}

/// The decision by names, since ids differ with the order of joining.
fn by_name(sites: &Sites, decision: &Decision) -> Vec<(ClusterName, u32, u32)> {
    let name = |share: &Share| sites.get(share.cluster).unwrap().cluster.name.clone();
    shares(decision).iter().map(|share| (name(share), share.replicas, share.reserved)).collect()
}

fn carried_out(sites: &mut Sites, demand: &Demand, decision: &Decision, before: &[Current]) -> Vec<Current> {
    for current in before {
        sites.release(current.cluster, current.each.times(current.reserved));
    }
    let current = |share: &Share| Current {
        cluster: share.cluster,
        replicas: share.replicas,
        reserved: share.reserved,
        each: demand.each,
        leaving: false,
    };
    let all: Vec<Current> = shares(decision).iter().map(current).collect();
    for current in &all {
        sites.reserve(current.cluster, current.each.times(current.reserved));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_gives_what_is_demanded_where_there_is_room_and_nowhere_twice(
        given in proptest::collection::vec(given(), 0..7), demand in demand()
    ) {
        let sites = sites(&given, 0..given.len());
        let decision = plan(&sites, &demand, &[], &mut Cache::default());
        let shares = shares(&decision).to_vec();
        let mut clusters: Vec<_> = shares.iter().map(|share| share.cluster).collect();
        clusters.dedup();
        prop_assert_eq!(clusters.len(), shares.len());
        if matches!(decision, Decision::Parked { .. }) {
            return Ok(());
        }
        let sum = |of: fn(&Share) -> u32| shares.iter().map(of).sum::<u32>();
        let count = u32::try_from(shares.len()).unwrap();
        match demand.policy.mode {
            Mode::Singleton => prop_assert_eq!((count, sum(|s| s.replicas)), (1, demand.replicas)),
            Mode::Replicated => prop_assert_eq!(sum(|s| s.replicas), demand.replicas * count),
            Mode::Divided => {
                prop_assert_eq!((sum(|s| s.replicas), sum(|s| s.reserved)), (demand.replicas, demand.reserved()));
            }
        }
        if demand.policy.mode != Mode::Singleton {
            prop_assert!(count >= demand.policy.min_clusters.max(1));
            prop_assert!(demand.policy.max_clusters == 0 || count <= demand.policy.max_clusters);
        }
        for share in &shares {
            let site = sites.get(share.cluster).unwrap();
            prop_assert!(share.replicas <= share.reserved);
            prop_assert!(site.health == Health::Healthy && !site.cluster.cordoned);
            prop_assert!(u64::from(share.reserved) <= site.free().instances);
        }
        for spread in demand.policy.spread.iter().filter(|spread| !spread.soft) {
            let mut groups: BTreeMap<_, u32> = BTreeMap::new();
            for share in &shares {
                let zone = sites.get(share.cluster).unwrap().cluster.labels.values().next().unwrap().clone();
                *groups.entry(zone).or_default() += 1;
            }
            prop_assert!(groups.len() >= spread.min_groups as usize);
            prop_assert!(spread.max_groups == 0 || groups.len() <= spread.max_groups as usize);
        }
    }

    #[test]
    fn planning_again_what_was_carried_out_changes_nothing(
        given in proptest::collection::vec(given(), 0..7), demand in demand(), next in demand()
    ) {
        let mut sites = sites(&given, 0..given.len());
        let first = plan(&sites, &demand, &[], &mut Cache::default());
        let current = carried_out(&mut sites, &demand, &first, &[]);
        let again = plan(&sites, &demand, &current, &mut Cache::default());
        prop_assert_eq!(shares(&again), shares(&first));
        // And the same after a change of mind.
        let second = plan(&sites, &next, &current, &mut Cache::default());
        if let Decision::Placed { .. } = second {
            let current = carried_out(&mut sites, &next, &second, &current);
            let again = plan(&sites, &next, &current, &mut Cache::default());
            prop_assert_eq!(shares(&again), shares(&second));
        }
    }

    #[test]
    fn neither_the_order_of_joining_nor_the_cache_nor_a_listener_makes_a_difference(
        given in proptest::collection::vec(given(), 0..7), demand in demand()
    ) {
        let forwards = sites(&given, 0..given.len());
        let backwards = sites(&given, (0..given.len()).rev());
        let mut cache = Cache::default();
        let plain = plan(&forwards, &demand, &[], &mut cache);
        prop_assert_eq!(&plan(&forwards, &demand, &[], &mut cache), &plain);
        prop_assert_eq!(&explain(&forwards, &demand, &[]).0, &plain);
        let other = plan(&backwards, &demand, &[], &mut cache);
        prop_assert_eq!(by_name(&backwards, &other), by_name(&forwards, &plain));
    }

    #[test]
    fn every_cluster_is_named_once_in_a_report(
        given in proptest::collection::vec(given(), 0..7), demand in demand()
    ) {
        let sites = sites(&given, 0..given.len());
        let (_, report) = explain(&sites, &demand, &[]);
        let chosen = report.chosen.iter().map(|one| &one.cluster);
        let refused = report.refused.iter().map(|one| &one.cluster);
        let mut named: Vec<_> = chosen.chain(refused).chain(report.passed_over.iter().map(|one| &one.cluster)).collect();
        named.sort();
        let all: Vec<_> = sites.all().iter().map(|site| &site.cluster.name).collect();
        prop_assert_eq!(named, all);
    }
}
