use isthmus_model::observation::{Messages, Phase};
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn seen(n: u8, generation: u64, ready: u32) -> Observation {
    Observation {
        uid: Uid(Uuid::from_u128(n.into())),
        generation: Generation(generation),
        phase: Phase::Ready,
        desired: ready,
        ready,
        restarts: 0,
        reason: Reason::Ready,
        last_error: String::new(),
        messages: Messages::default(),
        observed_at: UnixMillis(0),
    }
}

fn expecting(numbers: std::ops::Range<u8>) -> Coalescer {
    let mut coalescer = Coalescer::default();
    numbers.for_each(|n| coalescer.expect(seen(n, 0, 0).uid));
    coalescer
}

#[test]
fn only_the_newest_word_waits() {
    let mut coalescer = expecting(0..1);
    for ready in 0..1_000 {
        coalescer.push(seen(0, 1, ready));
    }
    assert_eq!(coalescer.drain(10), [seen(0, 1, 999)]);
    assert!(coalescer.is_empty());
}

#[test]
fn the_same_said_again_later_is_no_news() {
    let mut coalescer = expecting(0..1);
    assert!(coalescer.push(seen(0, 1, 1)));
    coalescer.drain(10);
    assert!(!coalescer.push(Observation { observed_at: UnixMillis(5), ..seen(0, 1, 1) }));
    assert!(coalescer.is_empty());
}

#[test]
fn what_nobody_expects_is_dropped_and_what_is_forgotten_is_not_told() {
    let mut coalescer = expecting(0..1);
    assert!(!coalescer.push(seen(7, 1, 1)));
    coalescer.push(seen(0, 1, 1));
    coalescer.forget(seen(0, 1, 1).uid);
    assert!(coalescer.is_empty() && coalescer.drain(10).is_empty());
}

#[test]
fn a_new_session_hears_everything_again() {
    let mut coalescer = expecting(0..3);
    (0..2).for_each(|n| assert!(coalescer.push(seen(n, 1, 1))));
    coalescer.drain(10);
    coalescer.push(seen(0, 1, 2));
    coalescer.unheard_all();
    let mut told = coalescer.drain(10);
    told.sort_by_key(|observation| observation.uid);
    assert_eq!(told, [seen(0, 1, 2), seen(1, 1, 1)]);
}

proptest! {
    #[test]
    fn generations_never_go_back_and_each_component_waits_at_most_once(
        pushes in prop::collection::vec((0..4_u8, 0..6_u64, 0..3_u32, any::<bool>()), 0..80)
    ) {
        let mut coalescer = expecting(0..4);
        let mut told: HashMap<Uid, Generation> = HashMap::new();
        for (n, generation, ready, drain) in pushes {
            coalescer.push(seen(n, generation, ready));
            prop_assert!(coalescer.unheard.len() <= 4);
            for observation in if drain { coalescer.drain(2) } else { Vec::new() } {
                let before = told.insert(observation.uid, observation.generation);
                prop_assert!(before <= Some(observation.generation));
            }
        }
    }
}
