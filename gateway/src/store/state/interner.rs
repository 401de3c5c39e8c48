//! One copy of each value that many components have in common.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashSet;

/// Keeps one copy of equal values. It forgets what nobody else holds when it has doubled since it last looked.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    values: HashSet<Arc<T>>,
    sweep_at: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: HashSet::new(), sweep_at: 64 }
    }
}

impl<T: Hash + Eq> Interner<T> {
    /// The kept copy of `value`, or `value` itself where there is none: it is not taken in.
    pub(crate) fn find(&self, value: &Arc<T>) -> Arc<T> {
        self.values.get(value.as_ref()).unwrap_or(value).clone()
    }

    /// The kept copy of `value`, which it becomes itself where there is none.
    pub(crate) fn intern(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(kept) = self.values.get(value.as_ref()) {
            return kept.clone();
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|kept| Arc::strong_count(kept) > 1);
            self.sweep_at = self.values.len().saturating_mul(2).max(64);
        }
        self.values.insert(value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_one_copy_and_unused_ones_are_forgotten() {
        let mut interner = Interner::default();
        let first = interner.intern(Arc::new(1));
        assert!(Arc::ptr_eq(&first, &interner.intern(Arc::new(1))));
        for value in 2..1000 {
            interner.intern(Arc::new(value));
        }
        assert!(interner.values.len() <= 65, "{}", interner.values.len());
        assert!(Arc::ptr_eq(&first, &interner.find(&Arc::new(1))));
    }
}
