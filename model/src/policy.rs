//! Where the user wants a component to run.

use serde::{Deserialize, Serialize};

use crate::name::{LabelKey, Labels};

/// A placement policy, written inline with the component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// Which clusters may run it; empty means any.
    pub clusters: Selector,
    /// In how many of them, and how replicas are shared out.
    pub mode: Mode,
    /// Taints that it tolerates.
    pub tolerations: Vec<Toleration>,
    /// How it is spread over groups of clusters.
    pub spread: Vec<Spread>,
    /// Least number of clusters in modes Divided and Replicated; 0 means 1.
    pub min_clusters: u32,
    /// Greatest number of clusters in modes Divided and Replicated; 0 means no bound.
    pub max_clusters: u32,
}

/// In how many clusters a component runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// All replicas in one cluster.
    #[default]
    Singleton,
    /// The replicas split over clusters.
    Divided,
    /// All replicas in each cluster.
    Replicated,
}

/// Requirements that must all hold. Keys are labels, or the fields `metadata.name` and `spec.pulsar`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Selector(pub Vec<Requirement>);

/// One requirement on a label, as in Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// The label, or `metadata.name`.
    pub key: LabelKey,
    /// How it is compared.
    pub operator: Operator,
    /// With what; empty for Exists and DoesNotExist.
    #[serde(default)]
    pub values: Vec<String>,
}

/// Kubernetes' operators of label selectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// The value is one of these.
    In,
    /// The value is none of these, or there is no such label.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl Selector {
    /// The key that selects by the cluster's own name.
    pub const NAME_KEY: &'static str = "metadata.name";

    /// Whether a cluster of this name with these labels is meant; else the first requirement that fails.
    pub fn check<'s>(&'s self, name: &str, labels: &Labels) -> Result<(), &'s Requirement> {
        self.0.iter().find(|requirement| !requirement.holds(name, labels)).map_or(Ok(()), Err)
    }
}

impl Requirement {
    fn holds(&self, name: &str, labels: &Labels) -> bool {
        let value = if self.key.as_str() == Selector::NAME_KEY {
            Some(name)
        } else {
            labels.get(&self.key).map(AsRef::as_ref)
        };
        let listed = |value: &str| self.values.iter().any(|v| v == value);
        match self.operator {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.operator {
            Operator::In => write!(f, "{} in ({})", self.key, self.values.join(", ")),
            Operator::NotIn => write!(f, "{} notin ({})", self.key, self.values.join(", ")),
            Operator::Exists => write!(f, "{}", self.key),
            Operator::DoesNotExist => write!(f, "!{}", self.key),
        }
    }
}

/// A taint that a component tolerates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// Key of the taint; `None` tolerates every key.
    pub key: Option<LabelKey>,
    /// Value of the taint; `None` tolerates every value.
    pub value: Option<String>,
    /// Effect; `None` tolerates every effect.
    pub effect: Option<TaintEffect>,
}

impl Toleration {
    /// Whether this tolerates `taint`.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.is_none_or(|effect| effect == taint.effect)
    }
}

/// A cluster's wish not to be used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// Its key.
    pub key: LabelKey,
    /// Its value.
    #[serde(default)]
    pub value: String,
    /// What it does to those who do not tolerate it.
    pub effect: TaintEffect,
}

impl std::fmt::Display for Taint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}:{:?}", self.key, self.value, self.effect)
    }
}

/// What a taint does to those who do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TaintEffect {
    /// Nothing new is placed.
    NoPlace,
    /// New is placed only if there is no better place.
    PreferNoPlace,
    /// Nothing new is placed, and what is there moves away.
    Evict,
}

/// How a component is spread over groups of clusters; a group is all clusters with the same value of a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// The label, or `metadata.name`: each cluster is its own group.
    pub key: LabelKey,
    /// Least number of groups; 0 means no bound.
    #[serde(default)]
    pub min_groups: u32,
    /// Greatest number of groups; 0 means no bound.
    #[serde(default)]
    pub max_groups: u32,
    /// Greatest difference in clusters (Replicated) or replicas (Divided) between groups; 0 means no bound.
    #[serde(default)]
    pub max_skew: u32,
    /// Prefer rather than require.
    #[serde(default)]
    pub soft: bool,
}
