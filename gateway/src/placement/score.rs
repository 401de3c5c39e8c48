//! Which of the clusters that may run a component is better.

use std::cmp::Reverse;

use super::{Demand, Site, filter};

/// What speaks for a cluster, most important first: the greatest score wins, and the derived order is the ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    /// It runs there already: moving costs more than any imbalance.
    pub stays: bool,
    /// No taint asks to be left alone.
    pub preferred: bool,
    /// Thousandths of its scarcest resource that are free.
    pub free_permille: u16,
    /// Instances there, fewest first: decides between clusters without bounds.
    pub instances: Reverse<u64>,
    /// Its place in the order of names, so that there is no tie.
    pub rank: Reverse<usize>,
}

pub(crate) fn score(site: &Site, rank: usize, demand: &Demand, stays: bool) -> Score {
    Score {
        stays,
        preferred: site.cluster.taints.is_empty() || filter::preferred(site, demand),
        free_permille: site.free_permille(),
        instances: Reverse(site.reserved().instances),
        rank: Reverse(rank),
    }
}

impl Score {
    /// Its terms by name, in the order in which they rank; the greater is the better.
    pub fn terms(&self) -> Vec<(&'static str, i64)> {
        let fewest = i64::try_from(self.instances.0).unwrap_or(i64::MAX);
        vec![
            ("stays", i64::from(self.stays)),
            ("preferred", i64::from(self.preferred)),
            ("freePermille", i64::from(self.free_permille)),
            ("fewInstances", -fewest),
        ]
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.stays {
            f.write_str("already runs it, ")?;
        }
        if !self.preferred {
            f.write_str("a taint asks for other clusters to be preferred, ")?;
        }
        let percent = f64::from(self.free_permille) / 10.0;
        let instances = if self.instances.0 == 1 { "instance" } else { "instances" };
        write!(f, "{percent:.0}% free, {} {instances} there", self.instances.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_told_in_words() {
        let score = Score {
            stays: false,
            preferred: true,
            free_permille: 905,
            instances: Reverse(3),
            rank: Reverse(0),
        };
        assert_eq!(score.to_string(), "90% free, 3 instances there");
        let score = Score { stays: true, preferred: false, instances: Reverse(1), ..score };
        assert_eq!(
            score.to_string(),
            "already runs it, a taint asks for other clusters to be preferred, 90% free, 1 instance there"
        );
    }
}
