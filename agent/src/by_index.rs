//! What there is of each instance of a component, in the order of their numbers.
//!
//! Most components have one instance here, and a host holds thousands of components: a node of the standard library's tree
//! has room for eleven values, this has room for those that there are.

/// A list that is ordered by the instance's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByIndex<T>(Vec<(u32, T)>);

impl<T> Default for ByIndex<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByIndex<T> {
    /// Nothing of any instance.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of this instance.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (_, value) = self.0.get(self.place(index).ok()?)?;
        Some(value)
    }

    /// Of this instance.
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let place = self.place(index).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// Puts it in the place of what there was.
    pub(crate) fn insert(&mut self, index: u32, value: T) {
        match self.place(index) {
            Ok(place) => {
                if let Some((_, known)) = self.0.get_mut(place) {
                    *known = value;
                }
            }
            Err(place) => self.put(place, index, value),
        }
    }

    /// What there is, after making it if there was nothing.
    #[expect(clippy::indexing_slicing, reason = "the place is where it was found or has just been put")]
    pub(crate) fn get_or_insert_with(&mut self, index: u32, make: impl FnOnce() -> T) -> &mut T {
        let place = self.place(index).unwrap_or_else(|place| {
            self.put(place, index, make());
            place
        });
        &mut self.0[place].1
    }

    /// Takes it out.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let place = self.place(index).ok()?;
        Some(self.0.remove(place).1)
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.0.iter().map(|(index, value)| (*index, value))
    }

    /// All, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.0.iter_mut().map(|(index, value)| (*index, value))
    }

    /// All values, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    fn place(&self, index: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&index, |(index, _)| *index)
    }

    fn put(&mut self, place: usize, index: u32, value: T) {
        if self.0.capacity() == 0 {
            // A list that grows by itself begins with room for four.
            self.0.reserve_exact(1);
        }
        self.0.insert(place, (index, value));
    }
}

impl<T> FromIterator<(u32, T)> for ByIndex<T> {
    fn from_iter<I: IntoIterator<Item = (u32, T)>>(all: I) -> Self {
        let mut list = Self::default();
        all.into_iter().for_each(|(index, value)| list.insert(index, value));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_number_and_come_in_its_order() {
        let mut list: ByIndex<&str> =
            [(7, "seven"), (2, "two"), (5, "five"), (2, "again")].into_iter().collect();
        assert_eq!(list.iter().collect::<Vec<_>>(), [(2, &"again"), (5, &"five"), (7, &"seven")]);
        assert_eq!((list.get(5), list.get(6)), (Some(&"five"), None));
        assert_eq!((list.remove(5), list.remove(5)), (Some("five"), None));
        assert_eq!(list.get_or_insert_with(0, || "made"), &"made");
        assert_eq!(list.get_or_insert_with(7, || "not made"), &"seven");
        *list.get_mut(7).unwrap() = "changed";
        assert_eq!(list.values().collect::<Vec<_>>(), [&"made", &"again", &"changed"]);
    }

    #[test]
    fn one_value_takes_the_room_of_one() {
        let mut list = ByIndex::default();
        list.insert(0, [0_u8; 100]);
        assert_eq!(list.0.capacity(), 1);
    }
}
