//! Requests that were taken lately, so that a retry gets the same answer instead of a second effect.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::store::command::RequestId;
use crate::store::commit::{Outcome, Request};

/// Requests that are remembered. Counted, not timed, so that a decision depends on nothing but the log.
pub const KEPT_REQUESTS: usize = 65_536;

/// The last requests and their outcomes.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    kept: HashMap<RequestId, ([u8; 16], Outcome)>,
    order: VecDeque<RequestId>,
}

impl Requests {
    /// What was answered to this request: `Err` when it asked something else.
    pub(crate) fn find(&self, request: &Request) -> Option<Result<Outcome, ()>> {
        let (content, outcome) = self.kept.get(&request.id)?;
        Some(if *content == request.content { Ok(*outcome) } else { Err(()) })
    }

    pub(crate) fn insert(&mut self, request: Request, outcome: Outcome) {
        if self.order.len() >= KEPT_REQUESTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        self.kept.insert(request.id, (request.content, outcome));
        self.order.push_back(request.id);
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Request, Outcome)> + '_ {
        self.order.iter().filter_map(|id| {
            let (content, outcome) = self.kept.get(id)?;
            Some((Request { id: *id, content: *content }, *outcome))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::commit::Change;
    use isthmus_model::order::LogIndex;

    #[test]
    fn only_so_many_requests_are_remembered() {
        let mut requests = Requests::default();
        let request = |n: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_be_bytes());
            Request { id: RequestId(id), content: [1; 16] }
        };
        let outcome = Outcome { index: LogIndex(1), change: Change::Done };
        for n in 0..=KEPT_REQUESTS {
            requests.insert(request(n), outcome);
        }
        assert_eq!(requests.find(&request(0)), None);
        assert_eq!(requests.find(&request(1)), Some(Ok(outcome)));
        assert_eq!(requests.find(&Request { content: [2; 16], ..request(1) }), Some(Err(())));
        assert_eq!(requests.kept.len(), KEPT_REQUESTS);
    }
}
