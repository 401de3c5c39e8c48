//! Where a component shall run.

use isthmus_model::policy::{
    Mode, Operator, Placement, Requirement, Selector, Spread, Taint, TaintEffect, Toleration,
};
use isthmus_model::reason::Reason;

use super::problems::{Invalid, Path, Problems};
use crate::cluster::v1 as cluster;
use crate::component::v1 as wire;

impl From<Placement> for wire::Placement {
    fn from(placement: Placement) -> Self {
        let Placement { clusters, mode, tolerations, spread, min_clusters, max_clusters } = placement;
        Self {
            clusters: clusters.0.into_iter().map(Into::into).collect(),
            mode: wire::Mode::from(mode).into(),
            tolerations: tolerations.into_iter().map(Into::into).collect(),
            spread: spread.into_iter().map(Into::into).collect(),
            min_clusters,
            max_clusters,
        }
    }
}

impl From<Requirement> for wire::Requirement {
    fn from(Requirement { key, operator, values }: Requirement) -> Self {
        let operator = match operator {
            Operator::In => wire::Operator::In,
            Operator::NotIn => wire::Operator::NotIn,
            Operator::Exists => wire::Operator::Exists,
            Operator::DoesNotExist => wire::Operator::DoesNotExist,
        };
        Self { key: key.into(), operator: operator.into(), values }
    }
}

impl From<Toleration> for wire::Toleration {
    fn from(Toleration { key, value, effect }: Toleration) -> Self {
        let effect = effect.map_or(wire::TaintEffect::Unspecified, Into::into);
        Self { key: key.map(Into::into), value, effect: effect.into() }
    }
}

impl From<Spread> for wire::Spread {
    fn from(Spread { key, min_groups, max_groups, max_skew, soft }: Spread) -> Self {
        Self { key: key.into(), min_groups, max_groups, max_skew, soft }
    }
}

impl From<Taint> for cluster::Taint {
    fn from(Taint { key, value, effect }: Taint) -> Self {
        Self { key: key.into(), value, effect: wire::TaintEffect::from(effect).into() }
    }
}

impl From<Mode> for wire::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Singleton => Self::Singleton,
            Mode::Divided => Self::Divided,
            Mode::Replicated => Self::Replicated,
        }
    }
}

impl From<TaintEffect> for wire::TaintEffect {
    fn from(effect: TaintEffect) -> Self {
        match effect {
            TaintEffect::NoPlace => Self::NoPlace,
            TaintEffect::PreferNoPlace => Self::PreferNoPlace,
            TaintEffect::Evict => Self::Evict,
        }
    }
}

/// A placement that stands for itself in a request, what is wrong with it named below `placement`.
pub fn written(placement: wire::Placement) -> Result<Placement, Invalid> {
    let (root, mut problems) = (Path::ROOT, Problems::default());
    let placement = read(placement, &root.field("placement"), &mut problems);
    problems.finish(placement)
}

pub(super) fn read(placement: wire::Placement, at: &Path<'_>, problems: &mut Problems) -> Placement {
    let wire::Placement { clusters, mode, tolerations, spread, min_clusters, max_clusters } = placement;
    let mode = match problems.enumeration(&at.field("mode"), mode).unwrap_or_default() {
        wire::Mode::Unspecified | wire::Mode::Singleton => Mode::Singleton,
        wire::Mode::Divided => Mode::Divided,
        wire::Mode::Replicated => Mode::Replicated,
    };
    Placement {
        clusters: Selector(each(clusters, &at.field("clusters"), problems, requirement)),
        mode,
        tolerations: each(tolerations, &at.field("tolerations"), problems, toleration),
        spread: each(spread, &at.field("spread"), problems, spread_over),
        min_clusters,
        max_clusters,
    }
}

/// Reads every element of a list; what is wrong is left out and reported.
pub(super) fn each<W, M>(
    list: Vec<W>,
    at: &Path<'_>,
    problems: &mut Problems,
    read: impl Fn(W, &Path<'_>, &mut Problems) -> Option<M>,
) -> Vec<M> {
    list.into_iter().enumerate().filter_map(|(index, item)| read(item, &at.index(index), problems)).collect()
}

fn requirement(
    requirement: wire::Requirement,
    at: &Path<'_>,
    problems: &mut Problems,
) -> Option<Requirement> {
    let wire::Requirement { key, operator, values } = requirement;
    let key = problems.parse(&at.field("key"), &key);
    let operator = match problems.enumeration(&at.field("operator"), operator) {
        None => None,
        Some(wire::Operator::Unspecified) => {
            problems.add(
                &at.field("operator"),
                Reason::MissingField,
                "say how the label is compared: In, NotIn, Exists or DoesNotExist",
            );
            None
        }
        Some(wire::Operator::In) => Some(Operator::In),
        Some(wire::Operator::NotIn) => Some(Operator::NotIn),
        Some(wire::Operator::Exists) => Some(Operator::Exists),
        Some(wire::Operator::DoesNotExist) => Some(Operator::DoesNotExist),
    };
    Some(Requirement { key: key?, operator: operator?, values })
}

fn toleration(toleration: wire::Toleration, at: &Path<'_>, problems: &mut Problems) -> Option<Toleration> {
    let wire::Toleration { key, value, effect } = toleration;
    let key = match key {
        None => None,
        Some(key) => Some(problems.parse(&at.field("key"), &key)?),
    };
    Some(Toleration {
        key,
        value,
        effect: taint_effect(problems.enumeration(&at.field("effect"), effect).unwrap_or_default()),
    })
}

fn spread_over(spread: wire::Spread, at: &Path<'_>, problems: &mut Problems) -> Option<Spread> {
    let wire::Spread { key, min_groups, max_groups, max_skew, soft } = spread;
    Some(Spread { key: problems.parse(&at.field("key"), &key)?, min_groups, max_groups, max_skew, soft })
}

pub(super) fn taint(taint: cluster::Taint, at: &Path<'_>, problems: &mut Problems) -> Option<Taint> {
    let cluster::Taint { key, value, effect } = taint;
    let key = problems.parse(&at.field("key"), &key);
    let effect = problems.enumeration(&at.field("effect"), effect).and_then(|effect| {
        let effect = taint_effect(effect);
        if effect.is_none() {
            let message = "say what the taint does: NoPlace, PreferNoPlace or Evict";
            problems.add(&at.field("effect"), Reason::MissingField, message);
        }
        effect
    });
    Some(Taint { key: key?, value, effect: effect? })
}

fn taint_effect(effect: wire::TaintEffect) -> Option<TaintEffect> {
    match effect {
        wire::TaintEffect::Unspecified => None,
        wire::TaintEffect::NoPlace => Some(TaintEffect::NoPlace),
        wire::TaintEffect::PreferNoPlace => Some(TaintEffect::PreferNoPlace),
        wire::TaintEffect::Evict => Some(TaintEffect::Evict),
    }
}
