use isthmus_model::component::ComponentKind;
use proptest::prelude::*;

use super::*;
use crate::custom_resources::marks::tests::uid;

fn key(name: &str) -> Key {
    Key { kind: ComponentKind::Function, namespace: "n".into(), name: name.into() }
}

fn connection() -> ConnectionKey {
    ConnectionKey { namespace: "n".into(), name: "pulsar".into() }
}

fn run(name: &str, generation: u64) -> Wanted {
    Wanted::Run(Run {
        generation: Generation(generation),
        replicas: 2,
        key: key(name),
        digest: format!("{name}@{generation}").into(),
        connection: connection(),
    })
}

fn stop(generation: u64) -> Wanted {
    Wanted::Stop { generation: Generation(generation) }
}

fn found(number: u128, generation: u64, is: Option<&str>) -> Found {
    Found {
        object: format!("object-{number}").into(),
        version: "1".into(),
        mark: Some(Mark { uid: uid(number), generation: Generation(generation) }),
        is: is.map(Into::into),
        connection: "pulsar".into(),
        deleting: false,
    }
}

/// A cluster with what is wanted of it.
#[derive(Debug, Clone, Default)]
struct World {
    wanted: BTreeMap<Uid, Wanted>,
    settled: bool,
    found: BTreeMap<Key, Found>,
    connections: BTreeMap<ConnectionKey, FoundConnection>,
}

impl World {
    fn new(wanted: impl IntoIterator<Item = (u128, Wanted)>) -> Self {
        let wanted = wanted.into_iter().map(|(number, wanted)| (uid(number), wanted)).collect();
        let mut world = Self { wanted, settled: true, ..Self::default() };
        world.connect(ConnectionState::Right);
        world
    }

    fn with(mut self, name: &str, found: Found) -> Self {
        self.found.insert(key(name), found);
        self
    }

    fn connect(&mut self, state: ConnectionState) {
        let found = FoundConnection { object: "map".into(), version: "1".into(), state };
        self.connections.insert(connection(), found);
    }

    fn plan(&self) -> Vec<Step> {
        let Self { wanted, settled, found, connections } = self;
        plan(View { wanted, settled: *settled, found, connections })
    }

    /// Does what the API server would do.
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Delete { key, object } => {
                assert_eq!(self.found[key].object, *object);
                self.found.remove(key);
            }
            Step::Create { uid, key } | Step::Replace { uid, key, .. } => {
                let Some(Wanted::Run(run)) = self.wanted.get(uid) else { panic!("{uid} is not wanted") };
                let before = self.found.get(key);
                let mine = before.is_none_or(|found| {
                    found.mark.is_some_and(|mark| mark.uid == *uid && mark.generation <= run.generation)
                });
                assert!(mine, "{step:?} over {before:?}");
                let mark = Some(Mark { uid: *uid, generation: run.generation });
                let object = before.map_or_else(|| format!("new-{uid}").into(), |found| found.object.clone());
                let (is, connection) = (Some(run.digest.clone()), run.connection.name.clone());
                let made = Found { object, version: "2".into(), mark, is, connection, deleting: false };
                self.found.insert(key.clone(), made);
            }
            Step::Connect { .. } => self.connect(ConnectionState::Right),
            Step::Disconnect { key, .. } => drop(self.connections.remove(key)),
            Step::Prove { .. } | Step::Say { .. } => {}
        }
    }
}

#[test]
fn what_is_as_it_shall_be_needs_nothing() {
    let world = World::new([(1, run("a", 5))]).with("a", found(1, 5, Some("a@5")));
    assert_eq!(world.plan(), []);
}

#[test]
fn what_is_missing_is_made_after_its_addresses_and_what_goes_goes_first() {
    let mut world = World::new([(1, run("a", 5)), (2, stop(6))]).with("b", found(2, 3, None));
    world.connections.clear();
    let delete = Step::Delete { key: key("b"), object: "object-2".into() };
    assert_eq!(world.plan(), [delete, Step::Connect { key: connection(), over: None }]);
    for step in &world.plan() {
        world.apply(step);
    }
    let prove = Step::Prove { uid: uid(2), generation: Generation(6) };
    assert_eq!(world.plan(), [prove, Step::Create { uid: uid(1), key: key("a") }]);
}

#[test]
fn an_older_generation_and_an_edit_are_replaced_and_a_newer_generation_is_left_alone() {
    let replace =
        || vec![Step::Replace { uid: uid(1), key: key("a"), object: "object-1".into(), version: "1".into() }];
    for (generation, is, expected) in [
        (4, Some("a@4"), replace()),
        (5, None, replace()),
        (5, Some("a@4"), replace()),
        (6, None, Vec::new()),
    ] {
        let world = World::new([(1, run("a", 5))]).with("a", found(1, generation, is));
        assert_eq!(world.plan(), expected, "{generation} {is:?}");
    }
    let newer = World::new([(1, stop(5))]).with("a", found(1, 6, None));
    assert_eq!(newer.plan(), [], "nor is it deleted, and nothing is proved of it");
}

#[test]
fn what_is_somebody_elses_is_named_and_not_touched() {
    let foreign = Found { mark: None, ..found(9, 1, None) };
    let world = World::new([(1, run("a", 5))]).with("a", foreign);
    let [Step::Say { uid: of, replicas: 2, refusal, .. }] = &world.plan()[..] else { panic!() };
    assert_eq!((*of, refusal.reason), (uid(1), Reason::ForeignObject));
    assert!(refusal.message.contains("Function n/a was made by somebody else"), "{refusal:?}");
    let mut world = World::new([(1, run("a", 5))]);
    world.connect(ConnectionState::Foreign);
    assert!(
        matches!(&world.plan()[..], [Step::Say { refusal, .. }] if refusal.message.contains("ConfigMap n/pulsar"))
    );
}

#[test]
fn what_is_not_desired_goes_when_the_set_is_settled_and_not_before() {
    let mut world = World::new([]).with("a", found(1, 5, None));
    assert_eq!(world.plan(), [Step::Delete { key: key("a"), object: "object-1".into() }]);
    world.settled = false;
    assert_eq!(world.plan(), []);
}

#[test]
fn a_component_that_was_created_anew_waits_until_the_one_before_is_gone() {
    let mut world = World::new([(1, stop(6)), (2, run("a", 7))]).with("a", found(1, 5, None));
    assert_eq!(world.plan(), [Step::Delete { key: key("a"), object: "object-1".into() }]);
    world.found.get_mut(&key("a")).unwrap().deleting = true;
    assert_eq!(world.plan(), []);
    world.found.clear();
    assert!(world.plan().contains(&Step::Create { uid: uid(2), key: key("a") }));
}

#[test]
fn what_the_configuration_leads_elsewhere_moves_when_the_old_one_is_gone() {
    let mut world = World::new([(1, run("b", 5))]).with("a", found(1, 5, None));
    assert_eq!(world.plan(), [Step::Delete { key: key("a"), object: "object-1".into() }]);
    world.found.clear();
    assert_eq!(world.plan(), [Step::Create { uid: uid(1), key: key("b") }]);
}

#[test]
fn what_is_refused_stays_as_it_runs() {
    let refusal = Refusal { reason: Reason::Refused, message: "no".to_owned() };
    let refused = Wanted::Refused { generation: Generation(7), replicas: 1, refusal: refusal.clone() };
    let world = World::new([(1, refused)]).with("a", found(1, 5, None));
    assert_eq!(world.plan(), [Step::Say { uid: uid(1), generation: Generation(7), replicas: 1, refusal }]);
}

#[test]
fn addresses_go_when_nothing_names_them() {
    let mut world = World::new([]).with("a", found(1, 5, None));
    assert_eq!(world.plan().len(), 1, "a resource that goes names them still");
    world.found.clear();
    assert_eq!(world.plan(), [Step::Disconnect { key: connection(), object: "map".into() }]);
    world.settled = false;
    assert_eq!(world.plan(), []);
}

fn wanted() -> impl Strategy<Value = Option<Wanted>> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        Just(None),
        (name, 1..8_u64).prop_map(|(name, generation)| Some(run(name, generation))),
        (1..8_u64).prop_map(|generation| Some(stop(generation))),
    ]
}

fn there() -> impl Strategy<Value = Option<Found>> {
    let ours = (1..5_u128, 1..8_u64, any::<bool>())
        .prop_map(|(number, generation, is)| Some(found(number, generation, is.then_some("a@1"))));
    prop_oneof![Just(None), ours, Just(Some(Found { mark: None, ..found(9, 1, None) }))]
}

proptest! {
    /// Whatever there was: steps end, nothing of others and nothing newer is touched, and what can be had is there.
    #[test]
    fn plans_come_to_an_end_with_exactly_what_can_be_had(
        wanted in proptest::collection::vec(wanted(), 4),
        there in proptest::collection::vec(there(), 3),
        settled in any::<bool>(),
    ) {
        let mut names = BTreeSet::new();
        let wanted = (1..).zip(wanted).filter_map(|(number, wanted)| Some((number, wanted?)));
        // Two components never have the same name.
        let wanted = wanted.filter(|(_, wanted)| match wanted {
            Wanted::Run(run) => names.insert(run.key.clone()),
            _ => true,
        });
        let mut world = World::new(wanted);
        world.settled = settled;
        for (name, found) in ["a", "b", "c"].into_iter().zip(there) {
            world.found.extend(found.map(|found| (key(name), found)));
        }
        let before = world.clone();
        let act = |step: &Step| !matches!(step, Step::Prove { .. } | Step::Say { .. });
        for _ in 0..12 {
            let plan = world.plan();
            for step in &plan {
                world.apply(step);
            }
        }
        prop_assert!(!world.plan().iter().any(act), "{:?}", world.plan());
        for (at, found) in &before.found {
            let newer = found.mark.is_some_and(|mark| match world.wanted.get(&mark.uid) {
                Some(Wanted::Run(run)) => mark.generation > run.generation,
                Some(Wanted::Stop { generation }) => mark.generation > *generation,
                Some(Wanted::Refused { .. }) => true,
                None => !settled,
            });
            if found.mark.is_none() || newer {
                prop_assert_eq!(world.found.get(at), Some(found));
            }
        }
        for (of, wanted) in &world.wanted {
            let carries: Vec<_> =
                world.found.iter().filter(|(_, found)| found.mark.is_some_and(|mark| mark.uid == *of)).collect();
            match wanted {
                Wanted::Stop { generation } => {
                    prop_assert!(carries.iter().all(|(_, found)| found.mark.unwrap().generation > *generation));
                }
                Wanted::Run(run) => {
                    let free = before.found.get(&run.key).is_none_or(|found| {
                        found.mark.is_some_and(|mark| mark.uid == *of && mark.generation <= run.generation)
                    });
                    let newer = carries.iter().any(|(_, found)| found.mark.unwrap().generation > run.generation);
                    if free && !newer {
                        prop_assert_eq!(world.found[&run.key].is.as_ref(), Some(&run.digest));
                    }
                }
                Wanted::Refused { .. } => {}
            }
        }
    }
}
