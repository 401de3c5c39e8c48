//! All components, found by slot or UID.

use hashbrown::HashTable;
use isthmus_model::name::Uid;

use super::component::{Component, Slot};

/// All components. The table by UID holds slots only, so that it costs a few bytes each.
#[derive(Debug, Default)]
pub(crate) struct Components {
    slots: Vec<Option<Component>>,
    free: Vec<Slot>,
    by_uid: HashTable<Slot>,
}

/// UIDs are random at their end, so mixing their halves is hash enough.
fn hash(uid: Uid) -> u64 {
    let bits = uid.0.as_u128();
    #[expect(clippy::cast_possible_truncation, reason = "the halves are folded into one")]
    let folded = (bits as u64) ^ ((bits >> 64) as u64);
    folded.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

impl Components {
    pub(crate) fn len(&self) -> usize {
        self.by_uid.len()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Component> {
        self.slots.get(slot.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Component> {
        self.slots.get_mut(slot.0 as usize)?.as_mut()
    }

    pub(crate) fn find(&self, uid: Uid) -> Option<Slot> {
        let same = |slot: &Slot| self.get(*slot).is_some_and(|component| component.uid == uid);
        self.by_uid.find(hash(uid), same).copied()
    }

    pub(crate) fn insert(&mut self, component: Component) -> Slot {
        let uid = component.uid;
        let slot = if let Some(slot) = self.free.pop() {
            if let Some(place) = self.slots.get_mut(slot.0 as usize) {
                *place = Some(component);
            }
            slot
        } else {
            let slot = Slot(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
            self.slots.push(Some(component));
            slot
        };
        let slots = &self.slots;
        let rehash = |slot: &Slot| {
            slots.get(slot.0 as usize).and_then(Option::as_ref).map_or(0, |component| hash(component.uid))
        };
        self.by_uid.insert_unique(hash(uid), slot, rehash);
        slot
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Component> {
        let component = self.slots.get_mut(slot.0 as usize)?.take()?;
        if let Ok(entry) = self.by_uid.find_entry(hash(component.uid), |found| *found == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(component)
    }

    /// All, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Component)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(at, component)| Some((Slot(u32::try_from(at).ok()?), component.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::namespaces::NamespaceId;
    use super::*;
    use crate::store::state::component::{Details, Version};
    use isthmus_model::order::{LogIndex, Revision, UnixMillis};
    use std::sync::Arc;

    fn component(n: u128) -> Component {
        Component {
            uid: Uid(uuid::Uuid::from_u128(n)),
            name: "x".parse().unwrap(),
            namespace: NamespaceId(0),
            kind: isthmus_model::component::ComponentKind::Function,
            created: UnixMillis(0),
            turns: None,
            changed: LogIndex(0),
            current: Version {
                revision: Revision(1),
                spec: Arc::from([]),
                demand: Arc::default(),
                details: Arc::<Details>::default(),
                log_index: LogIndex(0),
                time: UnixMillis(0),
            },
            older: None,
            entries: Box::default(),
            waiting: None,
        }
    }

    #[test]
    fn a_removed_components_slot_is_used_again_and_its_uid_is_not_found() {
        let mut components = Components::default();
        let slots: Vec<Slot> = (0..100).map(|n| components.insert(component(n))).collect();
        let gone = components.remove(slots[7]).unwrap().uid;
        assert_eq!(components.find(gone), None);
        assert_eq!(components.insert(component(1000)), slots[7]);
        assert_eq!(components.find(Uid(uuid::Uuid::from_u128(1000))), Some(slots[7]));
        assert_eq!(components.len(), 100);
    }

    #[test]
    fn a_component_stays_small() {
        assert!(size_of::<Option<Component>>() <= 184, "{}", size_of::<Option<Component>>());
    }
}
