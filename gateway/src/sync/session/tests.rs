//! The session with a desired set in memory, and an agent that keeps what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use isthmus_model::assignment::Assignment;
use isthmus_model::component::ComponentKind;
use isthmus_model::order::Revision;
use isthmus_model::pulsar_cluster::PulsarCluster;
use proptest::prelude::*;

use super::*;

/// A desired set that remembers its last changes only.
#[derive(Default)]
struct Set {
    generation: u64,
    log_index: u64,
    /// Commits that are not durable yet.
    behind: u64,
    wanted: BTreeMap<Uid, Generation>,
    removals: BTreeMap<Uid, Generation>,
    changes: VecDeque<Uid>,
    kept: usize,
    confirmed: Option<Digest>,
}

fn uid(n: u8) -> Uid {
    Uid::from_slice(&[n; 16]).unwrap()
}

impl Set {
    fn remembering(kept: usize) -> Self {
        Self { kept, ..Self::default() }
    }

    fn changed(&mut self, uid: Uid) {
        self.generation += 1;
        self.changes.push_back(uid);
        while self.changes.len() > self.kept {
            self.changes.pop_front();
        }
    }

    fn want(&mut self, n: u8) {
        self.log_index += 1;
        self.removals.remove(&uid(n));
        self.wanted.insert(uid(n), Generation(self.log_index));
        self.changed(uid(n));
    }

    fn unwant(&mut self, n: u8) {
        self.log_index += 1;
        if self.wanted.remove(&uid(n)).is_some() {
            self.removals.insert(uid(n), Generation(self.log_index));
            self.changed(uid(n));
        }
    }
}

impl Desired for Set {
    fn epoch(&self) -> Epoch {
        Epoch(1)
    }
    fn log_index(&self) -> LogIndex {
        LogIndex(self.log_index)
    }
    fn durable(&self) -> LogIndex {
        LogIndex(self.log_index - self.behind)
    }
    fn set_generation(&self) -> SetGeneration {
        SetGeneration(self.generation)
    }
    fn digest(&self) -> SetDigest {
        self.wanted.iter().map(|(uid, generation)| (*uid, *generation)).collect()
    }
    fn buckets(&self) -> Vec<SetDigest> {
        buckets(&self.wanted)
    }
    fn changes_since(&self, from: SetGeneration) -> Option<Vec<Uid>> {
        let count = usize::try_from(self.generation.checked_sub(from.0)?).unwrap();
        let skipped = self.changes.len().checked_sub(count)?;
        Some(self.changes.iter().skip(skipped).copied().collect::<BTreeSet<_>>().into_iter().collect())
    }
    fn uids(&self) -> Vec<Uid> {
        self.wanted.keys().copied().collect()
    }
    fn uids_in(&self, buckets: &[u8]) -> Vec<Uid> {
        self.wanted.keys().copied().filter(|uid| buckets.contains(&SetDigest::bucket(*uid))).collect()
    }
    fn removals(&self) -> Vec<Removal> {
        self.removals.iter().map(|(uid, generation)| Removal { uid: *uid, generation: *generation }).collect()
    }
    fn item(&self, uid: Uid) -> Option<Item> {
        if let Some(generation) = self.removals.get(&uid) {
            return Some(Item::Removed(Removal { uid, generation: *generation }));
        }
        let generation = *self.wanted.get(&uid)?;
        Some(Item::Assigned(assignment(uid, generation)))
    }
    fn confirmed(&self) -> Option<Digest> {
        self.confirmed
    }
}

fn buckets(wanted: &BTreeMap<Uid, Generation>) -> Vec<SetDigest> {
    let mut all = vec![SetDigest::default(); SetDigest::BUCKETS];
    for (uid, generation) in wanted {
        all[usize::from(SetDigest::bucket(*uid))].insert(*uid, *generation);
    }
    all
}

fn assignment(uid: Uid, generation: Generation) -> Assignment {
    Assignment {
        uid,
        name: "public/default/f".parse().unwrap(),
        kind: ComponentKind::Function,
        generation,
        revision: Revision(1),
        replicas: 1,
        pulsar: Arc::new(PulsarCluster {
            name: "p".parse().unwrap(),
            service_url: "pulsar://p".into(),
            admin_url: "http://p".into(),
            pulsar_name: String::new(),
            state_service_url: String::new(),
            peers: Vec::new(),
        }),
        spec: Arc::from(&b"spec"[..]),
        sealed: None,
    }
}

/// An agent as the wire's comments have it.
#[derive(Default)]
struct Agent {
    holds: BTreeMap<Uid, Generation>,
    set: u64,
    parts: Vec<wire::Delta>,
}

impl Agent {
    fn digest(&self) -> Bytes {
        bytes_of(self.holds.iter().map(|(uid, generation)| (*uid, *generation)).collect())
    }

    fn hello(&self) -> FromAgent {
        FromAgent::Hello(wire::Hello {
            set_generation: self.set,
            digest: self.digest(),
            ..Default::default()
        })
    }

    /// What it answers to a frame.
    fn hear(&mut self, frame: ToAgent) -> Option<FromAgent> {
        match frame {
            ToAgent::Delta(delta) => self.take(delta),
            ToAgent::Compare(compare) => {
                assert_eq!(compare.buckets, 256);
                let digests = buckets(&self.holds).into_iter().map(bytes_of).collect();
                Some(FromAgent::Buckets(wire::Buckets { digests, set_generation: self.set }))
            }
            _ => None,
        }
    }

    fn take(&mut self, delta: wire::Delta) -> Option<FromAgent> {
        let (nonce, last) = (delta.nonce, delta.last);
        self.parts.push(delta);
        if !last {
            return None;
        }
        let parts = std::mem::take(&mut self.parts);
        let first = &parts[0];
        let replaced: Vec<u32> = first.replaced_buckets.clone();
        if !replaced.is_empty() || first.from_set_generation == 0 || first.from_set_generation == self.set {
            let whole = first.from_set_generation == 0 && replaced.is_empty();
            let before = std::mem::take(&mut self.holds);
            let stays = |uid: &Uid| !whole && !replaced.contains(&u32::from(SetDigest::bucket(*uid)));
            self.holds = before.iter().filter(|(uid, _)| stays(uid)).map(|(uid, g)| (*uid, *g)).collect();
            for part in &parts {
                for removal in &part.removals {
                    self.holds.remove(&Uid::from_slice(&removal.uid).unwrap());
                }
                for upsert in &part.upserts {
                    let uid = Uid::from_slice(&upsert.uid).unwrap();
                    let newest = before.get(&uid).copied().max(Some(Generation(upsert.generation)));
                    self.holds.insert(uid, newest.unwrap());
                }
            }
            self.set = parts[0].to_set_generation;
        }
        Some(FromAgent::Ack(wire::Ack {
            nonce,
            set_generation: self.set,
            digest: self.digest(),
            refused: Vec::new(),
        }))
    }
}

fn session() -> Session {
    let cluster = ClusterName::new("east").unwrap();
    Session::new(cluster, Config::default(), health::Config::default(), Duration::ZERO)
}

fn say(session: &mut Session, frame: FromAgent, set: &Set) -> Vec<Action> {
    let frame = wire::AgentFrame { frame: Some(frame) };
    session.on(Event::Frame(Box::new(frame)), Duration::ZERO, set)
}

/// Lets both talk until neither has anything to say. Returns what the gateway said.
fn talk(session: &mut Session, agent: &mut Agent, set: &Set, first: FromAgent) -> Vec<ToAgent> {
    let mut said = Vec::new();
    let mut heard = VecDeque::from([first]);
    for _ in 0..1000 {
        let mut frames = Vec::new();
        if let Some(frame) = heard.pop_front() {
            for action in say(session, frame, set) {
                match action {
                    Action::Send(frame) => frames.push(frame),
                    Action::Close(close) => panic!("closed: {close}"),
                    _ => {}
                }
            }
        }
        frames.extend(session.next_part(set));
        if frames.is_empty() && heard.is_empty() {
            return said;
        }
        for frame in frames {
            said.push(frame.clone());
            heard.extend(agent.hear(frame));
        }
    }
    panic!("they never come to an end: {said:?}");
}

fn deltas(said: &[ToAgent]) -> usize {
    said.iter().filter(|frame| matches!(frame, ToAgent::Delta(_))).count()
}

#[test]
fn an_agent_that_has_nothing_learns_the_whole_set_even_when_it_is_empty() {
    let (mut session, mut agent, set) = (session(), Agent::default(), Set::remembering(8));
    let said = talk(&mut session, &mut agent, &set, FromAgent::Hello(wire::Hello::default()));
    assert!(matches!(said[0], ToAgent::Welcome(_)));
    assert!(matches!(&said[1], ToAgent::Delta(delta) if delta.last && delta.from_set_generation == 0));
}

#[test]
fn an_agent_whose_set_is_equal_is_sent_nothing() {
    let mut set = Set::remembering(8);
    set.want(1);
    let mut agent = Agent { holds: set.wanted.clone(), set: set.generation, ..Agent::default() };
    let hello = agent.hello();
    let said = talk(&mut session(), &mut agent, &set, hello);
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_set_that_was_durable_before_the_session_counts_as_acknowledged() {
    let mut set = Set::remembering(8);
    set.want(1);
    let agent = Agent { holds: set.wanted.clone(), set: set.generation, ..Agent::default() };
    let actions = say(&mut session(), agent.hello(), &set);
    assert!(actions.contains(&Action::Acknowledged(SetGeneration(set.generation))), "{actions:?}");
}

#[test]
fn a_change_is_told_as_a_difference_and_the_newest_of_several_wins() {
    let (mut session, mut agent, mut set) = (session(), Agent::default(), Set::remembering(8));
    talk(&mut session, &mut agent, &set, FromAgent::Hello(wire::Hello::default()));
    for _ in 0..3 {
        set.want(1);
    }
    let Some(ToAgent::Delta(delta)) = session.next_part(&set) else { panic!("no delta") };
    assert_eq!((delta.from_set_generation, delta.to_set_generation, delta.upserts.len()), (0, 3, 1));
    assert_eq!(delta.upserts[0].generation, 3);
    assert_eq!(session.next_part(&set), None);
}

#[test]
fn a_change_waits_for_its_own_commit_and_for_no_other_that_is_not_durable_yet() {
    let (mut session, mut agent, mut set) = (session(), Agent::default(), Set::remembering(8));
    talk(&mut session, &mut agent, &set, FromAgent::Hello(wire::Hello::default()));
    set.want(1);
    // Commits that concern other clusters.
    (set.log_index, set.behind) = (9, 8);
    let Some(ToAgent::Delta(delta)) = session.next_part(&set) else { panic!("no delta") };
    assert_eq!(delta.log_index, 1);
    set.unwant(1);
    (set.log_index, set.behind) = (20, 5);
    let Some(ToAgent::Delta(delta)) = session.next_part(&set) else { panic!("no delta") };
    assert_eq!((delta.removals[0].generation, delta.log_index), (10, 15));
}

#[test]
fn a_beat_says_what_was_heard_last() {
    let (mut session, mut agent, set) = (session(), Agent::default(), Set::remembering(8));
    talk(&mut session, &mut agent, &set, FromAgent::Hello(wire::Hello::default()));
    for (sent_ms, heard) in [(7_000, 7_000), (6_000, 7_000)] {
        let beat = wire::Heartbeat { sent_ms, digest: agent.digest(), ..wire::Heartbeat::default() };
        say(&mut session, FromAgent::Heartbeat(beat), &set);
        let now = session.beaten + session.health.beat;
        let actions = session.on(Event::Tick, now, &set);
        assert!(
            matches!(&actions[..], [Action::Send(ToAgent::Heartbeat(beat))] if beat.heard_ms == heard),
            "{actions:?}"
        );
    }
}

#[test]
fn removals_are_told_again_until_the_agent_says_that_they_stopped() {
    let (mut set, mut agent) = (Set::remembering(8), Agent::default());
    set.want(1);
    talk(&mut session(), &mut agent, &set, FromAgent::Hello(wire::Hello::default()));
    set.unwant(1);
    let mut session = session();
    let hello = agent.hello();
    let said = talk(&mut session, &mut agent, &set, hello);
    assert!(said.iter().any(|frame| matches!(frame, ToAgent::Delta(delta) if delta.removals.len() == 1)));
    let stopped = wire::Observation {
        uid: uid(1).as_bytes().to_vec().into(),
        generation: 2,
        phase: wire::Phase::Stopped.into(),
        reason: "Stopped".into(),
        ..wire::Observation::default()
    };
    let told = |generation| {
        FromAgent::Observations(wire::Observations {
            observations: vec![wire::Observation { generation, ..stopped.clone() }],
        })
    };
    let removal = Removal { uid: uid(1), generation: Generation(2) };
    assert!(
        !say(&mut session, told(1), &set).contains(&Action::Stopped(vec![removal])),
        "an older generation"
    );
    assert_eq!(say(&mut session, told(2), &set), [Action::Stopped(vec![removal])]);
}

#[test]
fn sets_that_differ_under_the_same_number_are_compared_and_only_what_differs_is_sent() {
    let mut set = Set::remembering(64);
    (0..40).for_each(|n| set.want(n));
    let mut agent = Agent { holds: set.wanted.clone(), set: set.generation, ..Agent::default() };
    agent.holds.insert(uid(7), Generation(1));
    agent.holds.insert(uid(200), Generation(1));
    let hello = agent.hello();
    let said = talk(&mut session(), &mut agent, &set, hello);
    assert!(said.iter().any(|frame| matches!(frame, ToAgent::Compare(_))));
    let sent: usize = said
        .iter()
        .map(|frame| match frame {
            ToAgent::Delta(delta) => delta.upserts.len(),
            _ => 0,
        })
        .sum();
    assert!(sent < 5, "{sent} items were sent");
    assert_eq!(agent.holds, set.wanted);
}

#[test]
fn a_heartbeat_with_another_digest_starts_a_comparison() {
    let (mut session, mut agent, mut set) = (session(), Agent::default(), Set::remembering(8));
    set.want(1);
    talk(&mut session, &mut agent, &set, FromAgent::Hello(wire::Hello::default()));
    agent.holds.clear();
    let beat =
        wire::Heartbeat { set_generation: agent.set, digest: agent.digest(), ..wire::Heartbeat::default() };
    talk(&mut session, &mut agent, &set, FromAgent::Heartbeat(beat));
    assert_eq!(agent.holds, set.wanted);
}

#[test]
fn no_more_changes_are_under_way_than_the_window_allows() {
    let (mut session, mut set) = (session(), Set::remembering(100));
    talk(&mut session, &mut Agent::default(), &set, FromAgent::Hello(wire::Hello::default()));
    let mut sent = 0;
    for n in 0..20 {
        set.want(n);
        sent += usize::from(session.next_part(&set).is_some());
    }
    assert_eq!(sent, usize::try_from(Config::default().window).unwrap());
}

#[test]
fn a_large_set_is_cut_into_parts_that_the_agent_takes_as_one() {
    let mut set = Set::remembering(8);
    for n in 0..5000_u32 {
        let mut bytes = [9; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        set.log_index += 1;
        set.generation += 1;
        set.wanted.insert(Uid::from_slice(&bytes).unwrap(), Generation(set.log_index));
    }
    let mut agent = Agent::default();
    let said = talk(&mut session(), &mut agent, &set, FromAgent::Hello(wire::Hello::default()));
    assert_eq!(deltas(&said), 3);
    assert_eq!(agent.holds, set.wanted);
}

#[test]
fn an_agent_that_never_agrees_is_parted_from() {
    let (mut session, mut set) = (session(), Set::remembering(8));
    set.want(1);
    say(&mut session, FromAgent::Hello(wire::Hello::default()), &set);
    let mut closed = false;
    for _ in 0..20 {
        let Some(ToAgent::Delta(delta)) = session.next_part(&set) else {
            let digests = vec![Bytes::new(); 256];
            say(&mut session, FromAgent::Buckets(wire::Buckets { digests, set_generation: 0 }), &set);
            continue;
        };
        let ack = wire::Ack { nonce: delta.nonce, ..wire::Ack::default() };
        closed |= say(&mut session, FromAgent::Ack(ack), &set).contains(&Action::Close(Close::Diverged));
    }
    assert!(closed);
}

#[test]
fn frames_out_of_turn_end_the_session() {
    let set = Set::default();
    let beat = || FromAgent::Heartbeat(wire::Heartbeat::default());
    assert!(matches!(say(&mut session(), beat(), &set)[..], [Action::Close(Close::Broken(_))]));
    let mut session = session();
    let hello = || FromAgent::Hello(wire::Hello::default());
    say(&mut session, hello(), &set);
    assert!(matches!(say(&mut session, hello(), &set)[..], [Action::Close(Close::Broken(_))]));
}

#[test]
fn silence_ends_the_session_and_beats_come_before() {
    let (mut session, set) = (session(), Set::default());
    say(&mut session, FromAgent::Hello(wire::Hello::default()), &set);
    let seconds = Duration::from_secs;
    assert_eq!(session.deadline(), seconds(5));
    let beat = session.on(Event::Tick, seconds(5), &set);
    assert!(matches!(beat[..], [Action::Send(ToAgent::Heartbeat(_))]), "{beat:?}");
    assert_eq!(session.on(Event::Tick, seconds(30), &set), [Action::Close(Close::Silent(seconds(30)))]);
}

#[test]
fn held_removals_wait_for_the_operator_who_confirms_exactly_them() {
    let (mut session, mut set) = (session(), Set::default());
    say(&mut session, FromAgent::Hello(wire::Hello::default()), &set);
    let held =
        || FromAgent::RemovalsHeld(wire::RemovalsHeld { count: 9, total: 10, digest: vec![5; 32].into() });
    let digest = Digest([5; 32]);
    assert_eq!(say(&mut session, held(), &set), [Action::Held(Some(Held { count: 9, total: 10, digest }))]);
    let confirmed = session.on(Event::Confirmed(digest), Duration::ZERO, &set);
    assert!(matches!(confirmed[..], [Action::Send(ToAgent::ConfirmRemovals(_)), Action::Held(None)]));
    set.confirmed = Some(digest);
    assert!(matches!(say(&mut session, held(), &set)[..], [Action::Send(ToAgent::ConfirmRemovals(_))]));
}

proptest! {
    /// Whatever is wanted and lost, after a conversation the agent has the gateway's set.
    #[test]
    fn after_any_history_both_sets_are_equal(
        steps in proptest::collection::vec((0_u8..12, 0_u8..5), 1..60),
        kept in 1_usize..20,
    ) {
        let (mut set, mut agent) = (Set::remembering(kept), Agent::default());
        let mut open: Option<Session> = None;
        for (n, step) in steps {
            match step {
                0 | 1 => set.want(n),
                2 => set.unwant(n),
                // The connection breaks, with whatever was under way.
                3 => {
                    open = None;
                    agent.parts.clear();
                }
                _ => {
                    let (first, session) = match open.as_mut() {
                        Some(session) => {
                            let digest = agent.digest();
                            let beat = wire::Heartbeat { set_generation: agent.set, digest, ..wire::Heartbeat::default() };
                            (FromAgent::Heartbeat(beat), session)
                        }
                        None => (agent.hello(), open.insert(session())),
                    };
                    talk(session, &mut agent, &set, first);
                    prop_assert_eq!(&agent.holds, &set.wanted);
                    prop_assert_eq!(agent.set, set.generation);
                }
            }
        }
    }
}
