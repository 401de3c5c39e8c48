//! How much may be removed without asking: a gateway that lost its memory must not empty a cluster.

use serde::{Deserialize, Serialize};

/// The delete budget. A change that removes more waits for an operator's confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Percentage of what runs here. Default 30; 100 holds nothing.
    pub percent: u8,
    /// So many are removed without asking in any case. Default 10: small clusters change by large shares.
    pub at_least: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { percent: 30, at_least: 10 }
    }
}

impl Budget {
    /// How many of `running` may go at once.
    pub fn allows(self, running: u32) -> u32 {
        let share = u64::from(running) * u64::from(self.percent.min(100)) / 100;
        u32::try_from(share).unwrap_or(running).max(self.at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_share_and_least_number_may_go() {
        assert_eq!(Budget::default().allows(5), 10);
        assert_eq!(Budget::default().allows(1_000), 300);
        assert_eq!(Budget { percent: 255, at_least: 0 }.allows(u32::MAX), u32::MAX);
    }
}
