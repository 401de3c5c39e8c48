//! What one cluster shall run, with what its session needs to tell the agent no more than the difference.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};
use isthmus_model::name::{Digest, Uid};
use isthmus_model::order::{Generation, SetGeneration};
use isthmus_model::set_digest::SetDigest;

use super::component::{Details, Slot};

/// Changes that are remembered of each cluster: an agent that is further behind compares bucket digests instead.
pub const KEPT_CHANGES: usize = 8192;

/// What one cluster shall run. The digests cover what shall run; removals are beside them, because an agent that carried
/// one out has nothing left to digest.
#[derive(Debug)]
pub(crate) struct DesiredSet {
    generation: SetGeneration,
    digest: SetDigest,
    buckets: Box<[SetDigest]>,
    members: HashSet<Slot>,
    removals: HashSet<Slot>,
    /// Packages that the members need, and how many of them do: an agent that asks for one is answered without a look at all.
    packages: HashMap<Digest, u32>,
    /// What changed last, one for each of the last set-generations. A slot that belongs to another component by now does no
    /// harm: the reader looks up how it stands today, and what it finds is true.
    changes: VecDeque<Slot>,
}

impl Default for DesiredSet {
    fn default() -> Self {
        Self::restored(SetGeneration(0))
    }
}

impl DesiredSet {
    /// An empty set that goes on counting from `generation`.
    pub(crate) fn restored(generation: SetGeneration) -> Self {
        Self {
            generation,
            digest: SetDigest::default(),
            buckets: vec![SetDigest::default(); SetDigest::BUCKETS].into_boxed_slice(),
            members: HashSet::new(),
            removals: HashSet::new(),
            packages: HashMap::new(),
            changes: VecDeque::new(),
        }
    }

    pub(crate) fn generation(&self) -> SetGeneration {
        self.generation
    }

    pub(crate) fn digest(&self) -> SetDigest {
        self.digest
    }

    pub(crate) fn buckets(&self) -> &[SetDigest] {
        &self.buckets
    }

    /// What shall run, in no particular order.
    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = Slot> + '_ {
        self.members.iter().copied()
    }

    /// What shall not run and is not known to have stopped, in no particular order.
    pub(crate) fn removals(&self) -> impl ExactSizeIterator<Item = Slot> + '_ {
        self.removals.iter().copied()
    }

    /// Whether a member needs this package.
    pub(crate) fn needs(&self, package: &Digest) -> bool {
        self.packages.contains_key(package)
    }

    /// The packages that members need, each with how many of them do, in no particular order.
    #[cfg(test)]
    pub(crate) fn packages(&self) -> impl Iterator<Item = (Digest, u32)> + '_ {
        self.packages.iter().map(|(package, count)| (*package, *count))
    }

    /// A member that needs the packages of these details came.
    pub(crate) fn hold(&mut self, details: Option<&Details>) {
        for package in details.into_iter().flat_map(|details| &details.packages) {
            *self.packages.entry(*package).or_default() += 1;
        }
    }

    /// A member that needs the packages of these details went.
    pub(crate) fn release(&mut self, details: Option<&Details>) {
        for package in details.into_iter().flat_map(|details| &details.packages) {
            if let hashbrown::hash_map::Entry::Occupied(mut entry) = self.packages.entry(*package) {
                *entry.get_mut() = entry.get().saturating_sub(1);
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }

    /// What may have changed since `from`, each once; `None` where that is no longer remembered or never was.
    pub(crate) fn changes_since(&self, from: SetGeneration) -> Option<Vec<Slot>> {
        let count = usize::try_from(self.generation.0.checked_sub(from.0)?).ok()?;
        let skipped = self.changes.len().checked_sub(count)?;
        let mut seen = HashSet::with_capacity(count);
        Some(self.changes.iter().skip(skipped).copied().filter(|slot| seen.insert(*slot)).collect())
    }

    /// It shall run, at `generation`; `old` is the generation at which it did so before.
    pub(crate) fn upsert(&mut self, slot: Slot, uid: Uid, old: Option<Generation>, generation: Generation) {
        self.load_upsert(slot, uid, old, generation);
        self.changed(slot);
    }

    /// It shall not run any more; `old` is the generation at which it did.
    pub(crate) fn remove(&mut self, slot: Slot, uid: Uid, old: Option<Generation>) {
        self.digest_out(uid, old);
        self.load_removal(slot);
        self.changed(slot);
    }

    /// As `upsert`, of what the set-generation covers already.
    pub(crate) fn load_upsert(
        &mut self,
        slot: Slot,
        uid: Uid,
        old: Option<Generation>,
        generation: Generation,
    ) {
        self.digest_out(uid, old);
        // Hashed once for both.
        let item: SetDigest = [(uid, generation)].into_iter().collect();
        self.digest.merge(item);
        if let Some(bucket) = self.buckets.get_mut(usize::from(SetDigest::bucket(uid))) {
            bucket.merge(item);
        }
        self.removals.remove(&slot);
        self.members.insert(slot);
    }

    /// A removal that the set-generation covers already.
    pub(crate) fn load_removal(&mut self, slot: Slot) {
        self.members.remove(&slot);
        self.removals.insert(slot);
    }

    /// The agent said that it stopped.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.removals.remove(&slot);
    }

    fn digest_out(&mut self, uid: Uid, old: Option<Generation>) {
        let Some(old) = old else { return };
        self.digest.remove(uid, old);
        if let Some(bucket) = self.buckets.get_mut(usize::from(SetDigest::bucket(uid))) {
            bucket.remove(uid, old);
        }
    }

    fn changed(&mut self, slot: Slot) {
        self.generation = self.generation.next();
        if self.changes.len() >= KEPT_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(n: u128) -> Uid {
        Uid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn changes_are_told_from_any_remembered_generation_and_from_no_other() {
        let mut set = DesiredSet::default();
        for n in 0..10 {
            set.upsert(Slot(n % 3), uid(u128::from(n % 3)), None, Generation(u64::from(n)));
        }
        assert_eq!(set.changes_since(SetGeneration(10)), Some(vec![]));
        assert_eq!(set.changes_since(SetGeneration(8)), Some(vec![Slot(2), Slot(0)]));
        assert_eq!(set.changes_since(SetGeneration(0)).map(|all| all.len()), Some(3));
        assert_eq!(set.changes_since(SetGeneration(11)), None);
        for n in 0..u32::try_from(KEPT_CHANGES).unwrap() {
            set.upsert(Slot(n), uid(u128::from(n)), None, Generation(1));
        }
        assert_eq!(set.changes_since(SetGeneration(9)), None);
        assert!(set.changes_since(SetGeneration(10)).is_some());
    }

    #[test]
    fn a_package_is_needed_until_the_last_member_with_it_went() {
        let (a, b) = (Digest([1; 32]), Digest([2; 32]));
        let mut set = DesiredSet::default();
        let with = |packages: &[Digest]| Details { packages: packages.to_vec(), ..Details::default() };
        set.hold(Some(&with(&[a, b])));
        set.hold(Some(&with(&[a])));
        set.hold(None);
        set.release(Some(&with(&[a, b])));
        assert!(set.needs(&a) && !set.needs(&b));
        set.release(Some(&with(&[a])));
        assert_eq!(set.packages().count(), 0);
    }

    #[test]
    fn what_came_and_went_leaves_the_digests_as_they_were() {
        let mut set = DesiredSet::default();
        set.upsert(Slot(1), uid(1), None, Generation(5));
        let before = (set.digest(), set.buckets().to_vec());
        set.upsert(Slot(2), uid(0x101), None, Generation(6));
        set.upsert(Slot(2), uid(0x101), Some(Generation(6)), Generation(7));
        assert_ne!(set.digest(), before.0);
        set.remove(Slot(2), uid(0x101), Some(Generation(7)));
        assert_eq!((set.digest(), set.buckets().to_vec()), before);
        assert_eq!(set.removals().collect::<Vec<_>>(), [Slot(2)]);
        set.forget(Slot(2));
        assert_eq!((set.members().len(), set.removals().len()), (1, 0));
    }
}
