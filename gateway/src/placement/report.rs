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
    let total = refused.len() + passed_over;
    if let Decision::Placed { .. } = decision {
        let names: Vec<&str> = chosen.iter().map(|chosen| chosen.cluster.as_str()).collect();
        let also = (passed_over > 0).then(|| format!("; {} could run it as well", others(passed_over)));
        let not = (!refused.is_empty()).then(|| format!("; {} cannot", others(refused.len())));
        let rest = [also, not].map(Option::unwrap_or_default).concat();
        return format!("placed on {}{rest}", and(&names));
    }
    if let Some(Spread { key, .. }) = unmet {
        return match passed_over {
            0 => format!("parked: the spread over {key} cannot be met"),
            n => format!("parked: the spread over {key} cannot be met by the {} that could run it", count(n)),
        };
    }
    match (total, passed_over) {
        (0, _) => return "parked: no cluster has joined yet".to_owned(),
        (1, 1) => return "parked: the only cluster has too little room".to_owned(),
        (_, 0) => {}
        (total, passed_over) if total == passed_over => {
            return format!("parked: all {total} clusters together have too little room");
        }
        (total, passed_over) => {
            return format!(
                "parked: only {passed_over} of {total} clusters could run it, with too little room"
            );
        }
    }
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for refused in refused {
        *reasons.entry(refused.reason).or_default() += 1;
    }
    match (total, reasons.iter().next()) {
        (1, Some((reason, _))) => format!("parked: the only cluster cannot run it ({reason})"),
        (_, Some((reason, _))) if reasons.len() == 1 => {
            format!("parked: none of {total} clusters can run it ({reason})")
        }
        _ => {
            let reasons: Vec<String> = reasons.iter().map(|(reason, n)| format!("{reason} on {n}")).collect();
            format!("parked: none of {total} clusters can run it ({})", reasons.join(", "))
        }
    }
}

fn count(n: usize) -> String {
    if n == 1 { "1 cluster".to_owned() } else { format!("{n} clusters") }
}

fn others(n: usize) -> String {
    if n == 1 { "1 other cluster".to_owned() } else { format!("{n} other clusters") }
}

/// `a`, `a and b`, `a, b and c`.
fn and(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(decision: &Decision, chosen: &[&str], refused: &[Reason], passed_over: usize) -> String {
        let chosen: Vec<Chosen> = chosen
            .iter()
            .map(|name| Chosen {
                cluster: name.parse().unwrap(),
                replicas: 1,
                reserved: 1,
                why: String::new(),
                score: Vec::new(),
            })
            .collect();
        let refused: Vec<Refused> = refused
            .iter()
            .map(|reason| Refused {
                cluster: "x".parse().unwrap(),
                reason: *reason,
                why: String::new(),
                remedy: String::new(),
            })
            .collect();
        summary(decision, &chosen, &refused, passed_over, None)
    }

    #[test]
    fn the_summary_of_a_placement_names_where_and_counts_the_rest_only_where_there_is_one() {
        let placed = Decision::Placed { shares: Vec::new(), waits: None };
        let said =
            |chosen: &[&str], refused: &[Reason], passed_over| said(&placed, chosen, refused, passed_over);
        let cordoned = Reason::Cordoned;
        assert_eq!(said(&["a"], &[], 0), "placed on a");
        assert_eq!(said(&["a", "b"], &[cordoned], 0), "placed on a and b; 1 other cluster cannot");
        assert_eq!(said(&["a"], &[], 1), "placed on a; 1 other cluster could run it as well");
        assert_eq!(
            said(&["a", "b", "c"], &[cordoned, cordoned], 3),
            "placed on a, b and c; 3 other clusters could run it as well; 2 other clusters cannot"
        );
    }

    #[test]
    fn the_summary_of_a_parked_component_says_what_is_missing() {
        let parked = Decision::Parked { leave: Vec::new(), refusals: crate::placement::Refusals::default() };
        let said = |refused: &[Reason], passed_over| said(&parked, &[], refused, passed_over);
        let (cordoned, away) = (Reason::Cordoned, Reason::Disconnected);
        assert_eq!(said(&[], 0), "parked: no cluster has joined yet");
        assert_eq!(said(&[cordoned], 0), "parked: the only cluster cannot run it (Cordoned)");
        assert_eq!(said(&[away, away], 0), "parked: none of 2 clusters can run it (Disconnected)");
        assert_eq!(
            said(&[away, cordoned, away], 0),
            "parked: none of 3 clusters can run it (Cordoned on 1, Disconnected on 2)"
        );
        assert_eq!(said(&[], 1), "parked: the only cluster has too little room");
        assert_eq!(said(&[], 2), "parked: all 2 clusters together have too little room");
        assert_eq!(said(&[away], 2), "parked: only 2 of 3 clusters could run it, with too little room");
        let zone =
            Spread { key: "zone".parse().unwrap(), min_groups: 2, max_groups: 0, max_skew: 0, soft: false };
        let unmet = |passed_over| summary(&parked, &[], &[], passed_over, Some(&zone));
        assert_eq!(unmet(0), "parked: the spread over zone cannot be met");
        assert_eq!(
            unmet(2),
            "parked: the spread over zone cannot be met by the 2 clusters that could run it"
        );
    }
}
