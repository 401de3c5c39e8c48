//! What goes back up: the newest word on every component, at a bounded rate.

pub mod coalesce;

use std::sync::Arc;

use isthmus_model::name::Uid;
use isthmus_model::observation::Observation;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::target::Observe;
use coalesce::Coalescer;

/// Where targets say what they see and the link takes it from. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Reports(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    coalescer: Mutex<Coalescer>,
    news: Notify,
}

impl Reports {
    /// Observations of this component are wanted from now on.
    pub fn expect(&self, uid: Uid) {
        self.0.coalescer.lock().expect(uid);
    }

    /// Nobody wants to know of this component any more.
    pub fn forget(&self, uid: Uid) {
        self.0.coalescer.lock().forget(uid);
    }

    /// Takes what is seen.
    pub fn push(&self, observation: Observation) {
        if self.0.coalescer.lock().push(observation) {
            self.0.news.notify_one();
        }
    }

    /// A new session begins, which has heard nothing.
    pub fn unheard_all(&self) {
        self.0.coalescer.lock().unheard_all();
        self.0.news.notify_one();
    }

    /// Takes out at most `most` of what is unheard.
    pub fn drain(&self, most: usize) -> Vec<Observation> {
        self.0.coalescer.lock().drain(most)
    }

    /// Waits until there is something to say. Safe to cancel. For one waiter at a time.
    pub async fn news(&self) {
        while self.0.coalescer.lock().is_empty() {
            self.0.news.notified().await;
        }
    }
}

impl Observe for Reports {
    fn observe(&self, observation: Observation) {
        self.push(observation);
    }
}
