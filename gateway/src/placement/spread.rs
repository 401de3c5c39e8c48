//! In which of the clusters that may run a component it runs, so that it is spread as the policy says.

use isthmus_model::policy::{Selector, Spread};

use super::plan::Candidate;
use super::{Demand, Sites};

/// The group of each candidate under one constraint, and how many are chosen of each group.
#[derive(Debug)]
struct Groups<'a> {
    spread: &'a Spread,
    /// By candidate; `None` where it lacks the label.
    of: Vec<Option<usize>>,
    chosen: Vec<u32>,
}

impl<'a> Groups<'a> {
    fn new(sites: &Sites, candidates: &[Candidate], spread: &'a Spread) -> Self {
        let mut names: Vec<&str> = Vec::new();
        let of = candidates
            .iter()
            .map(|candidate| {
                let name = group(sites, candidate.rank, spread)?;
                let known = names.iter().position(|known| *known == name);
                Some(known.unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                }))
            })
            .collect();
        Self { spread, of, chosen: vec![0; names.len()] }
    }

    fn count(&self, candidate: usize) -> Option<u32> {
        self.of.get(candidate).copied().flatten().and_then(|group| self.chosen.get(group)).copied()
    }

    fn used(&self) -> usize {
        self.chosen.iter().filter(|count| **count > 0).count()
    }

    fn closed(&self) -> bool {
        self.spread.max_groups > 0 && self.used() >= self.spread.max_groups as usize
    }

    /// The smallest group that could still be chosen from.
    fn least(&self) -> u32 {
        let closed = self.closed();
        self.chosen.iter().copied().filter(|count| !closed || *count > 0).min().unwrap_or(0)
    }

    fn allows(&self, candidate: usize) -> bool {
        if self.spread.soft {
            return true;
        }
        let Some(count) = self.count(candidate) else { return false };
        let opens = count == 0 && self.closed();
        let skewed = self.spread.max_skew > 0 && count + 1 > self.least() + self.spread.max_skew;
        !opens && !skewed
    }

    /// Whether a group is opened that is still asked for.
    fn needs(&self, candidate: usize) -> bool {
        self.count(candidate) == Some(0) && self.used() < self.spread.min_groups as usize
    }

    fn choose(&mut self, candidate: usize) {
        if let Some(count) =
            self.of.get(candidate).copied().flatten().and_then(|group| self.chosen.get_mut(group))
        {
            *count += 1;
        }
    }

    fn satisfied(&self) -> bool {
        let most = self.chosen.iter().copied().max().unwrap_or(0);
        self.spread.soft
            || (self.used() >= self.spread.min_groups as usize
                && (self.spread.max_groups == 0 || self.used() <= self.spread.max_groups as usize)
                && (self.spread.max_skew == 0 || most <= self.least() + self.spread.max_skew))
    }
}

/// The group that a cluster belongs to; `None` where it lacks the label.
pub(crate) fn group<'s>(sites: &'s Sites, rank: usize, spread: &Spread) -> Option<&'s str> {
    let cluster = &sites.all().get(rank)?.cluster;
    if spread.key.as_str() == Selector::NAME_KEY {
        return Some(cluster.name.as_str());
    }
    cluster.labels.get(&spread.key).map(AsRef::as_ref)
}

/// The chosen candidates, as positions; or the constraint that cannot be met, `None` if there are too few candidates.
///
/// Where it runs already comes first, so that an update moves nothing that may stay. Only if that makes it impossible to meet
/// a constraint is it all chosen anew.
pub(crate) fn select<'d>(
    sites: &Sites,
    candidates: &[Candidate],
    demand: &'d Demand,
    (least, most): (usize, usize),
    grows: bool,
) -> Result<Vec<usize>, Option<&'d Spread>> {
    // Skew of mode Divided is about replicas, and is seen to when they are divided.
    let spreads = &demand.policy.spread;
    if spreads.is_empty() {
        let mut all: Vec<usize> = (0..candidates.len()).collect();
        all.sort_by_key(|at| std::cmp::Reverse(candidates.get(*at).map(|candidate| candidate.score)));
        let staying = candidates.iter().filter(|candidate| candidate.score.stays).count();
        let wanted = if grows || staying < least { most } else { staying.min(most) };
        all.truncate(wanted);
        return if all.len() < least { Err(None) } else { Ok(all) };
    }
    let groups: Vec<Groups<'d>> =
        spreads.iter().map(|spread| Groups::new(sites, candidates, spread)).collect();
    Selection::new(candidates, groups).run(least, most, grows, true).or_else(|_| {
        let groups = spreads.iter().map(|spread| Groups::new(sites, candidates, spread)).collect();
        Selection::new(candidates, groups).run(least, most, grows, false)
    })
}

#[derive(Debug)]
struct Selection<'c, 'd> {
    candidates: &'c [Candidate],
    groups: Vec<Groups<'d>>,
    chosen: Vec<usize>,
}

impl<'c, 'd> Selection<'c, 'd> {
    fn new(candidates: &'c [Candidate], groups: Vec<Groups<'d>>) -> Self {
        Self { candidates, groups, chosen: Vec::new() }
    }

    fn run(
        mut self,
        least: usize,
        most: usize,
        grows: bool,
        keep: bool,
    ) -> Result<Vec<usize>, Option<&'d Spread>> {
        if keep {
            // All that runs, at once and in any order: as a whole it may meet what its parts would not.
            let staying: Vec<usize> = self.staying().collect();
            for at in staying {
                self.choose(at);
            }
            let good =
                (least..=most).contains(&self.chosen.len()) && self.groups.iter().all(Groups::satisfied);
            if good && !grows {
                return Ok(self.chosen);
            }
            if !good {
                self.chosen.clear();
                self.groups.iter_mut().for_each(|groups| groups.chosen.fill(0));
            }
        }
        while self.chosen.len() < most
            && let Some(best) = self.best(keep)
        {
            self.choose(best);
        }
        if let Some(unmet) = self.groups.iter().find(|groups| !groups.satisfied()) {
            return Err(Some(unmet.spread));
        }
        if self.chosen.len() >= least { Ok(self.chosen) } else { Err(self.blocking()) }
    }

    fn staying(&self) -> impl Iterator<Item = usize> + use<'c> {
        let staying = |(at, candidate): (usize, &Candidate)| candidate.score.stays.then_some(at);
        self.candidates.iter().enumerate().filter_map(staying)
    }

    fn best(&self, keep: bool) -> Option<usize> {
        let open =
            |at: &usize| !self.chosen.contains(at) && self.groups.iter().all(|groups| groups.allows(*at));
        (0..self.candidates.len()).filter(open).max_by_key(|at| {
            let score = self.candidates.get(*at).map(|candidate| candidate.score);
            let needed = self.groups.iter().filter(|groups| groups.needs(*at)).count();
            let crowd: u32 = self.groups.iter().filter_map(|groups| groups.count(*at)).sum();
            let stays = keep && score.is_some_and(|score| score.stays);
            (stays, needed, std::cmp::Reverse(crowd), score)
        })
    }

    fn choose(&mut self, at: usize) {
        self.chosen.push(at);
        self.groups.iter_mut().for_each(|groups| groups.choose(at));
    }

    /// The constraint that keeps the rest from being chosen.
    fn blocking(&self) -> Option<&'d Spread> {
        let rest = (0..self.candidates.len()).filter(|at| !self.chosen.contains(at));
        rest.filter_map(|at| self.groups.iter().find(|groups| !groups.allows(at)))
            .map(|groups| groups.spread)
            .next()
    }
}
