//! Where it shall run: that the wishes can be met at all, by some federation.

use isthmus_model::policy::{Mode, Operator, Placement, Requirement, Spread};

use crate::report::Report;

pub(crate) fn check(placement: &Placement, replicas: u32, report: &mut Report) {
    let requirements = &placement.clusters.0;
    for (index, requirement) in requirements.iter().enumerate() {
        check_requirement(index, requirement, report);
        if let Some(other) = requirements.iter().take(index).find(|other| excludes(other, requirement)) {
            let message = format!("no cluster can meet this together with: {other}");
            report.conflict(format!("placement.clusters[{index}]"), message, &requirement.to_string());
        }
    }
    for (index, toleration) in placement.tolerations.iter().enumerate() {
        if toleration.key.is_none() && toleration.value.is_some() {
            let message = "a value needs a key; without a key every taint is tolerated";
            report.conflict(format!("placement.tolerations[{index}].value"), message, &toleration.value);
        }
    }
    check_counts(placement, replicas, report);
    for (index, spread) in placement.spread.iter().enumerate() {
        check_spread(index, spread, placement, report);
    }
}

fn check_requirement(index: usize, requirement: &Requirement, report: &mut Report) {
    let field = || format!("placement.clusters[{index}].values");
    match requirement.operator {
        Operator::In | Operator::NotIn if requirement.values.is_empty() => {
            report.missing(field(), format!("{:?} needs at least one value", requirement.operator));
        }
        Operator::Exists | Operator::DoesNotExist if !requirement.values.is_empty() => {
            report.conflict(
                field(),
                format!("{:?} takes no values", requirement.operator),
                &requirement.values,
            );
        }
        _ => {}
    }
}

/// Whether no label can meet both.
fn excludes(one: &Requirement, other: &Requirement) -> bool {
    use Operator::{DoesNotExist, Exists, In, NotIn};
    let within = |a: &Requirement, b: &Requirement| a.values.iter().all(|value| b.values.contains(value));
    let disjoint = || !one.values.iter().any(|value| other.values.contains(value));
    one.key == other.key
        && match (one.operator, other.operator) {
            (In, In) => disjoint() && !one.values.is_empty() && !other.values.is_empty(),
            (In, NotIn) => !one.values.is_empty() && within(one, other),
            (NotIn, In) => !other.values.is_empty() && within(other, one),
            (In | Exists, DoesNotExist) | (DoesNotExist, In | Exists) => true,
            _ => false,
        }
}

fn check_counts(placement: &Placement, replicas: u32, report: &mut Report) {
    let Placement { mode, min_clusters, max_clusters, .. } = placement;
    if *mode == Mode::Singleton {
        for (name, count) in [("minClusters", min_clusters), ("maxClusters", max_clusters)] {
            if *count > 1 {
                let message = "mode Singleton means one cluster; choose Divided or Replicated for more";
                report.conflict(format!("placement.{name}"), message, count);
            }
        }
        return;
    }
    if *max_clusters != 0 && min_clusters > max_clusters {
        let message = format!("it must be at most maxClusters, which is {max_clusters}");
        report.conflict("placement.minClusters", message, min_clusters);
    }
    if *mode == Mode::Divided && *min_clusters > replicas {
        let message = format!("{replicas} replicas cannot be divided over so many clusters");
        report.conflict("placement.minClusters", message, min_clusters);
    }
}

fn check_spread(index: usize, spread: &Spread, placement: &Placement, report: &mut Report) {
    let Spread { key, min_groups, max_groups, max_skew: _, soft } = spread;
    let field = |name: &str| format!("placement.spread[{index}].{name}");
    if *max_groups != 0 && min_groups > max_groups {
        report.conflict(
            field("minGroups"),
            format!("it must be at most maxGroups, which is {max_groups}"),
            min_groups,
        );
    }
    if !soft && *min_groups > 1 {
        let most = if placement.mode == Mode::Singleton { 1 } else { placement.max_clusters };
        if most != 0 && *min_groups > most {
            let message = format!("at most {most} clusters are chosen, which cannot be in so many groups");
            report.conflict(field("minGroups"), message, min_groups);
        }
    }
    if placement.spread.iter().take(index).any(|other| other.key == *key) {
        report.conflict(field("key"), "there is another spread over this key", key);
    }
}
