//! Why a component runs where it runs, and what would have to change for it to run elsewhere: the planner's own words.

use std::collections::BTreeMap;

use isthmus_model::name::ClusterName;
use isthmus_model::policy::Spread;
use isthmus_model::reason::Reason;
use serde::Serialize;

use super::plan::{Current, Decision, Trace, plan_traced};
use super::score::Score;
use super::{Demand, Refusal, Sites};

/// What was decided about a component, cluster by cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Where it runs or would run.
    pub chosen: Vec<Chosen>,
    /// Where it may not run.
    pub refused: Vec<Refused>,
    /// Where it might run as well, best first.
    pub passed_over: Vec<PassedOver>,
    /// One sentence that sums it up.
    pub summary: String,
}

/// A cluster that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// Which.
    pub cluster: ClusterName,
    /// Instances to run.
    pub replicas: u32,
    /// Instances that room is reserved for.
    pub reserved: u32,
    /// What spoke for it.
    pub why: String,
    /// The same as named terms, in the order in which they rank.
    #[serde(skip)]
    pub score: Vec<(&'static str, i64)>,
}

/// A cluster that may not run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Which.
    pub cluster: ClusterName,
    /// The first reason that was found.
    pub reason: Reason,
    /// It as a sentence.
    pub why: String,
    /// What would have to change.
    pub remedy: String,
}

/// A cluster that might run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedOver {
    /// Which.
    pub cluster: ClusterName,
    /// What spoke for it, and against it.
    pub why: String,
}

#[derive(Debug, Default)]
struct Listener {
    /// By rank: reason, sentence, remedy.
    refused: BTreeMap<usize, (Reason, String, String)>,
    scored: BTreeMap<usize, Score>,
    unmet: Option<Spread>,
    sites: Vec<std::sync::Arc<isthmus_model::cluster::Cluster>>,
}

impl Trace for Listener {
    fn refused(&mut self, rank: usize, refusal: &Refusal<'_>) {
        if let Some(cluster) = self.sites.get(rank) {
            self.refused.insert(rank, (refusal.reason(), refusal.sentence(cluster), refusal.remedy(cluster)));
        }
    }

    fn scored(&mut self, rank: usize, score: Score) {
        self.refused.remove(&rank);
        self.scored.insert(rank, score);
    }

    fn unmet(&mut self, spread: Option<&Spread>) {
        self.unmet = spread.cloned();
    }
}

/// Plans as `plan` does and tells why.
pub fn explain(sites: &Sites, demand: &Demand, current: &[Current]) -> (Decision, Report) {
    let mut heard = Listener {
        sites: sites.all().iter().map(|site| site.cluster.clone()).collect(),
        ..Listener::default()
    };
    let decision = plan_traced(sites, demand, current, &mut heard);
    let name = |rank: usize| sites.all().get(rank).map(|site| site.cluster.name.clone());
    let chosen = match &decision {
        Decision::Parked { .. } => Vec::new(),
        Decision::Placed { shares, .. } => shares
            .iter()
            .filter_map(|share| {
                let rank = sites.rank(share.cluster)?;
                let score = heard.scored.remove(&rank);
                let why = score.map(|score| score.to_string()).unwrap_or_default();
                let score = score.map(|score| score.terms()).unwrap_or_default();
                let (replicas, reserved) = (share.replicas, share.reserved);
                Some(Chosen { cluster: name(rank)?, replicas, reserved, why, score })
            })
            .collect(),
    };
    let refused: Vec<Refused> = heard
        .refused
        .into_iter()
        .filter_map(|(rank, (reason, why, remedy))| {
            Some(Refused { cluster: name(rank)?, reason, why, remedy })
        })
        .collect();
    let mut rest: Vec<(usize, Score)> = heard.scored.into_iter().collect();
    rest.sort_by_key(|(_, score)| std::cmp::Reverse(*score));
    let passed_over: Vec<PassedOver> = rest
        .into_iter()
        .filter_map(|(rank, score)| Some(PassedOver { cluster: name(rank)?, why: score.to_string() }))
        .collect();
    let summary = summary(&decision, &chosen, &refused, passed_over.len(), heard.unmet.as_ref());
    (decision, Report { chosen, refused, passed_over, summary })
}

fn summary(
    decision: &Decision,
    chosen: &[Chosen],
    refused: &[Refused],
    passed_over: usize,
    unmet: Option<&Spread>,
) -> String {
    if let Decision::Placed { .. } = decision {
        let names: Vec<&str> = chosen.iter().map(|chosen| chosen.cluster.as_str()).collect();
        return format!(
            "placed on {}; {} might do as well, {} may not",
            names.join(", "),
            count(passed_over),
            count(refused.len())
        );
    }
    if let Some(spread) = unmet {
        return format!(
            "parked: the spread over {} cannot be met with {} that may run it",
            spread.key,
            count(passed_over)
        );
    }
    let total = refused.len() + passed_over;
    if total == 0 {
        return "parked: no cluster has joined yet".to_owned();
    }
    if passed_over > 0 {
        return format!("parked: only {} of {total} have room, and too little together", count(passed_over));
    }
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for refused in refused {
        *reasons.entry(refused.reason).or_default() += 1;
    }
    let reasons: Vec<String> = reasons.into_iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    format!("parked: none of {} may run it ({})", count(total), reasons.join(", "))
}

fn count(n: usize) -> String {
    if n == 1 { "1 cluster".to_owned() } else { format!("{n} clusters") }
}
