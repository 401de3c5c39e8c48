//! Orders, and that any order of events comes to the same end.

use proptest::prelude::*;

use super::super::validate::Topics;
use super::*;

use ComponentKind::{Function, Sink, Source};

fn mesh() -> Owner {
    Owner { namespace: "shop".to_owned(), name: "pipe".to_owned(), uid: "mesh".to_owned() }
}

fn member(kind: ComponentKind, name: &str, reads: &[&str], writes: Option<&str>) -> Member {
    let reads = reads.iter().map(|topic| (*topic).to_owned()).collect();
    let spec = json!({"name": name}).as_object().cloned().unwrap();
    let verdict = Ok(Topics { reads, writes: writes.map(str::to_owned) });
    Member { kind, name: name.to_owned(), spec, verdict }
}

fn validated(members: Vec<Member>) -> Validated {
    Validated { members, violations: Vec::new() }
}

fn names(plan: &Plan) -> Vec<Vec<&str>> {
    plan.waves.iter().map(|wave| wave.iter().map(|wanted| wanted.key.1.as_str()).collect()).collect()
}

#[test]
fn readers_of_a_topic_come_before_its_writers_and_what_nothing_links_at_once() {
    let members = vec![
        member(Function, "second", &["b"], Some("c")),
        member(Function, "first", &["a"], Some("b")),
        member(Source, "in", &[], Some("a")),
        member(Source, "alone", &[], Some("x")),
        member(Sink, "out", &["c"], None),
    ];
    let plan = plan(&mesh(), &validated(members), &BTreeMap::new(), &BTreeSet::new());
    assert_eq!(
        names(&plan),
        [vec!["pipe-out", "pipe-alone"], vec!["pipe-second"], vec!["pipe-first"], vec!["pipe-in"]]
    );
}

#[test]
fn a_circle_of_topics_is_entered_somewhere() {
    let members = vec![
        member(Function, "b", &["y"], Some("x")),
        member(Function, "a", &["x"], Some("y")),
        member(Function, "own", &["z"], Some("z")),
        member(Source, "in", &[], Some("x")),
    ];
    let plan = plan(&mesh(), &validated(members), &BTreeMap::new(), &BTreeSet::new());
    assert_eq!(names(&plan), [vec!["pipe-own"], vec!["pipe-a"], vec!["pipe-b", "pipe-in"]]);
}

#[test]
fn what_left_goes_from_the_sources_to_the_sinks_and_what_cannot_be_read_stays() {
    let known = [(Sink, "pipe-a"), (Function, "pipe-b"), (Source, "pipe-c"), (Function, "pipe-bad")];
    let known: BTreeMap<Key, Known> =
        known.map(|(kind, name)| ((kind, name.to_owned()), Known::of(name, "mesh", None))).into();
    let bad = Member { verdict: Err(Vec::new()), ..member(Function, "bad", &[], None) };
    let named = BTreeSet::from([(Source, "told".to_owned()), (Function, "b".to_owned())]);
    let plan = plan(&mesh(), &validated(vec![bad]), &known, &named);
    let removed: Vec<_> =
        plan.removals.iter().map(|removal| (removal.key.1.as_str(), removal.uid.as_deref())).collect();
    assert_eq!(
        removed,
        [
            ("pipe-c", Some("pipe-c")),
            ("pipe-told", None),
            ("pipe-b", Some("pipe-b")),
            ("pipe-a", Some("pipe-a"))
        ]
    );
    assert_eq!(names(&plan), Vec::<Vec<&str>>::new());
}

#[test]
fn of_a_member_that_scales_itself_the_replicas_are_no_difference() {
    let made = |replicas: u32, most: Option<u32>| {
        let mut member = member(Function, "a", &[], None);
        member.spec.insert("replicas".to_owned(), json!(replicas));
        member.spec.extend(most.map(|most| ("maxReplicas".to_owned(), json!(most))));
        wanted(&mesh(), &member)
    };
    assert_eq!(made(2, Some(5)).digest, made(3, Some(5)).digest);
    assert_ne!(made(2, Some(5)).digest, made(2, Some(6)).digest);
    assert_ne!(made(2, None).digest, made(3, None).digest);
    assert_eq!(made(2, Some(5)).body["spec"]["replicas"], 2, "it is made with them");
}

#[test]
fn a_change_of_one_member_writes_that_one() {
    let members = |class: &str| {
        let mut members: Vec<_> = ["a", "b", "c"].map(|name| member(Function, name, &[], None)).into();
        members[1].spec.insert("className".to_owned(), json!(class));
        validated(members)
    };
    let first = plan(&mesh(), &members("x"), &BTreeMap::new(), &BTreeSet::new());
    let known = first.waves.iter().flatten();
    let known: BTreeMap<_, _> =
        known.map(|wanted| (wanted.key.clone(), Known::of("u", "mesh", Some(&wanted.digest)))).collect();
    assert!(plan(&mesh(), &members("x"), &known, &BTreeSet::new()).waves.is_empty());
    assert_eq!(names(&plan(&mesh(), &members("y"), &known, &BTreeSet::new())), [["pipe-b"]]);
}

/// What may happen to a mesh and its members.
#[derive(Debug, Clone)]
enum Happening {
    /// The mesh says something else: members by name, with a version of each.
    Says(BTreeMap<u8, u8>),
    /// Somebody deletes a member.
    Deleted(u8),
    /// Somebody edits a member.
    Edited(u8),
    /// A pass comes.
    Pass,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        proptest::collection::btree_map(0..6_u8, 0..3_u8, 0..6).prop_map(Happening::Says),
        (0..6_u8).prop_map(Happening::Deleted),
        (0..6_u8).prop_map(Happening::Edited),
        Just(Happening::Pass),
    ]
}

fn said(members: &BTreeMap<u8, u8>) -> Validated {
    let members = members.iter().map(|(name, version)| {
        let kind = ComponentKind::ALL[usize::from(*name) % 3];
        let mut member = member(kind, &name.to_string(), &[], Some("t"));
        member.spec.insert("version".to_owned(), json!(version));
        member
    });
    validated(members.collect())
}

/// What a pass leaves: digests by member.
fn pass(says: &Validated, there: &mut BTreeMap<Key, String>) -> usize {
    let known: BTreeMap<Key, Known> =
        there.iter().map(|(key, digest)| (key.clone(), Known::of("u", "mesh", Some(digest)))).collect();
    let plan = plan(&mesh(), says, &known, &BTreeSet::new());
    let changes = plan.removals.len() + plan.waves.iter().map(Vec::len).sum::<usize>();
    for removal in &plan.removals {
        there.remove(&removal.key);
    }
    for wanted in plan.waves.into_iter().flatten() {
        there.insert(wanted.key, wanted.digest);
    }
    changes
}

proptest! {
    #[test]
    fn any_order_of_events_comes_to_what_the_mesh_says_last(
        happenings in proptest::collection::vec(happening(), 0..40),
        last in proptest::collection::btree_map(0..6_u8, 0..3_u8, 0..6),
    ) {
        let mut says = said(&BTreeMap::new());
        let mut there = BTreeMap::new();
        let key = |name: u8| (ComponentKind::ALL[usize::from(name) % 3], format!("pipe-{name}"));
        for happening in happenings {
            match happening {
                Happening::Says(members) => says = said(&members),
                Happening::Deleted(name) => { there.remove(&key(name)); }
                Happening::Edited(name) => {
                    if let Some(digest) = there.get_mut(&key(name)) {
                        "edited".clone_into(digest);
                    }
                }
                Happening::Pass => { pass(&says, &mut there); }
            }
        }
        let last = said(&last);
        pass(&last, &mut there);
        let mut fresh = BTreeMap::new();
        pass(&last, &mut fresh);
        prop_assert_eq!(&there, &fresh);
        prop_assert_eq!(pass(&last, &mut there), 0, "a second pass finds nothing to do");
    }

    #[test]
    fn every_member_comes_once_and_no_writer_before_its_reader_unless_in_a_circle(
        links in proptest::collection::vec((0..5_u8, 0..5_u8), 0..12),
    ) {
        let members: Vec<_> = links
            .iter()
            .enumerate()
            .map(|(index, (reads, writes))| {
                // Only from a lower topic to a higher one, so that there is no circle.
                member(Function, &index.to_string(), &[&reads.to_string()], Some(&(reads + 1 + writes).to_string()))
            })
            .collect();
        let waves = waves(&members);
        let wave_of: BTreeMap<&str, usize> = waves
            .iter()
            .enumerate()
            .flat_map(|(index, wave)| wave.iter().map(move |member| (member.name.as_str(), index)))
            .collect();
        prop_assert_eq!(waves.iter().map(Vec::len).sum::<usize>(), members.len());
        for writer in &members {
            let topic = writer.verdict.as_ref().unwrap().writes.as_ref().unwrap();
            for reader in members.iter().filter(|member| member.verdict.as_ref().unwrap().reads.contains(topic)) {
                prop_assert!(wave_of[reader.name.as_str()] < wave_of[writer.name.as_str()]);
            }
        }
    }
}

#[test]
fn what_is_on_its_way_out_is_not_deleted_again() {
    let mut going = Known::of("u", "mesh", None);
    going.is_going = true;
    let known = BTreeMap::from([((Sink, "pipe-a".to_owned()), going)]);
    assert_eq!(plan(&mesh(), &validated(Vec::new()), &known, &BTreeSet::new()), Plan::default());
}
