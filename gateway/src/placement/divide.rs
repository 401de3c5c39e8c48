//! How many instances where, in mode Divided.

/// One cluster, or one group of clusters, that takes a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// As many as find room.
    pub(crate) room: u32,
    /// As many as it has now.
    pub(crate) has: u32,
}

/// Divides `total` evenly, nobody beyond their room: what one cannot take goes to the others, and what does not divide goes
/// to those who have most already, so that little moves. `None` when there is not room enough.
pub(crate) fn divide(total: u32, parts: &[Part]) -> Option<Vec<u32>> {
    let mut shares = vec![0; parts.len()];
    let mut open: Vec<usize> = (0..parts.len()).collect();
    let room = |at: usize| parts.get(at).map_or(0, |part| part.room);
    let mut rest = total;
    while rest > 0 {
        let count = u32::try_from(open.len()).ok().filter(|count| *count > 0)?;
        let even = rest / count;
        let (full, free): (Vec<usize>, Vec<usize>) = open.iter().partition(|at| room(**at) <= even);
        if full.is_empty() {
            for at in &open {
                set(&mut shares, *at, even);
            }
            let mut surplus = open;
            surplus.sort_by_key(|at| (std::cmp::Reverse(parts.get(*at).map_or(0, |part| part.has)), *at));
            let left = usize::try_from(rest % count).unwrap_or(usize::MAX);
            for at in surplus.iter().take(left) {
                set(&mut shares, *at, even + 1);
            }
            return Some(shares);
        }
        for at in full {
            let share = room(at).min(rest);
            set(&mut shares, at, share);
            rest -= share;
        }
        open = free;
    }
    Some(shares)
}

fn set(shares: &mut [u32], at: usize, share: u32) {
    if let Some(place) = shares.get_mut(at) {
        *place = share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parts: &[(u32, u32)]) -> Vec<Part> {
        parts.iter().map(|(room, has)| Part { room: *room, has: *has }).collect()
    }

    #[test]
    fn what_one_cannot_take_goes_to_the_others_and_the_rest_to_who_has_most() {
        assert_eq!(divide(10, &parts(&[(2, 0), (9, 0), (9, 3)])), Some(vec![2, 4, 4]));
        assert_eq!(divide(7, &parts(&[(9, 0), (9, 0), (9, 3)])), Some(vec![2, 2, 3]));
        assert_eq!(divide(5, &parts(&[(1, 0), (1, 0), (3, 0)])), Some(vec![1, 1, 3]));
        assert_eq!(divide(0, &parts(&[(1, 0)])), Some(vec![0]));
        assert_eq!(divide(6, &parts(&[(1, 0), (4, 0)])), None);
        assert_eq!(divide(1, &[]), None);
    }

    proptest::proptest! {
        #[test]
        fn it_divides_exactly_whenever_there_is_room(
            total in 0u32..200, parts in proptest::collection::vec((0u32..50, 0u32..50), 0..8)
        ) {
            let given: Vec<Part> = self::parts(&parts);
            let room: u32 = given.iter().map(|part| part.room).sum();
            match divide(total, &given) {
                Some(shares) => {
                    proptest::prop_assert_eq!(shares.iter().sum::<u32>(), total);
                    proptest::prop_assert!(shares.iter().zip(&given).all(|(share, part)| *share <= part.room));
                }
                None => proptest::prop_assert!(total > room),
            }
        }
    }
}
