//! The counters that order everything, each a type of its own, so that only what may be compared can be compared.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The next value.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

counter! {
    /// Orders the gateway's commits: dense, from 1; 0 is "before the first".
    LogIndex
}
counter! {
    /// Counts the gateway's leaders and restores; an agent refuses a lower (epoch, LogIndex).
    Epoch
}
counter! {
    /// A component's n-th immutable spec, from 1.
    Revision
}
counter! {
    /// Of an assignment: the LogIndex that last changed it. It never restarts, so a receiver refuses any lower one.
    Generation
}
counter! {
    /// Dense number of a cluster's desired set.
    SetGeneration
}

impl From<LogIndex> for Generation {
    fn from(index: LogIndex) -> Self {
        Self(index.0)
    }
}

/// A moment on the wall clock, in milliseconds since 1970-01-01 UTC. It is recorded and shown, never used to order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);
