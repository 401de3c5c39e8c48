//! One rule a test. The whole conversation, with both ends and every misfortune, is a suite of its own.

use isthmus_model::name::Uid;
use isthmus_model::observation::Messages;
use isthmus_model::order::{Generation, UnixMillis};
use isthmus_model::reason::Reason;
use uuid::Uuid;

use super::*;
use crate::inbox::change::Scope;

const SECOND: Duration = Duration::from_secs(1);

fn facts(log_index: u64, set: u64) -> Facts {
    Facts {
        epoch: Epoch(2),
        log_index: LogIndex(log_index),
        set_generation: SetGeneration(set),
        digest: SetDigest::default(),
        settled: set > 0,
        held: HeldRemovals::default(),
    }
}

fn welcome(epoch: u64, log_index: u64) -> Event {
    Event::Frame(GatewayFrame::Welcome(wire::Welcome {
        epoch,
        log_index,
        heartbeat_ms: 1_000,
        timeout_ms: 3_000,
        cluster: "east".into(),
        window: 4,
        lease_ms: 0,
    }))
}

fn opened(facts: Facts) -> Session {
    let (session, actions) = Session::open(Duration::ZERO, SECOND, facts, Declared::default(), b"boot");
    assert!(matches!(&actions[..], [Action::Send(AgentFrame::Hello(_))]));
    session
}

fn established(facts: Facts) -> Session {
    let mut session = opened(facts);
    let actions = session.on(Duration::ZERO, welcome(2, 100));
    assert_eq!(actions.first(), Some(&Action::Established));
    session
}

fn delta(nonce: u64, from: u64, to: u64, last: bool) -> wire::Delta {
    wire::Delta {
        nonce,
        from_set_generation: from,
        to_set_generation: to,
        last,
        epoch: 2,
        log_index: 100,
        ..wire::Delta::default()
    }
}

fn removal(n: u128) -> wire::Removal {
    wire::Removal { uid: Bytes::copy_from_slice(Uuid::from_u128(n).as_bytes()), generation: 50 }
}

fn heard(session: &mut Session, frame: GatewayFrame) -> Vec<Action> {
    session.on(Duration::ZERO, Event::Frame(frame))
}

fn beat(set: u64, digest: SetDigest) -> GatewayFrame {
    let digest = Bytes::copy_from_slice(&digest.to_bytes());
    GatewayFrame::Heartbeat(wire::Heartbeat {
        set_generation: set,
        digest,
        log_index: 100,
        ..wire::Heartbeat::default()
    })
}

#[test]
fn a_gateway_that_knows_less_than_before_is_refused() {
    for (epoch, log_index) in [(1, 1_000), (2, 99)] {
        let actions = opened(facts(100, 7)).on(Duration::ZERO, welcome(epoch, log_index));
        assert!(
            matches!(actions[..], [Action::Close(End::Regressed(_))]),
            "{epoch} {log_index}: {actions:?}"
        );
    }
}

#[test]
fn a_change_counts_when_its_last_part_has_come_and_is_acknowledged_when_it_is_durable() {
    let mut session = established(facts(90, 7));
    let first = wire::Delta { removals: vec![removal(1)], ..delta(1, 7, 9, false) };
    assert_eq!(heard(&mut session, GatewayFrame::Delta(first)), []);
    let last = wire::Delta { removals: vec![removal(2)], ..delta(2, 7, 9, true) };
    let mut actions = heard(&mut session, GatewayFrame::Delta(last));
    let Some(Action::Apply { nonce: 2, change }) = actions.pop() else { panic!("{actions:?}") };
    assert_eq!((change.removals.len(), change.scope), (2, Scope::Differences(SetGeneration(7))));
    assert!(actions.is_empty(), "nothing is acknowledged yet");

    let durable = Answer::Durable { nonce: 2, facts: facts(100, 9), refused: Vec::new() };
    let acked = session.on(Duration::ZERO, Event::Answer(durable));
    assert!(
        matches!(&acked[..], [Action::Send(AgentFrame::Ack(ack))] if (ack.nonce, ack.set_generation) == (2, 9))
    );
}

#[test]
fn an_abandoned_change_counts_for_nothing() {
    let mut session = established(facts(90, 7));
    let abandoned = wire::Delta { removals: vec![removal(1)], ..delta(1, 7, 9, false) };
    heard(&mut session, GatewayFrame::Delta(abandoned.clone()));
    assert_eq!(heard(&mut session, GatewayFrame::Compare(wire::Compare { buckets: 256 })), [Action::Compare]);
    let other = wire::Delta { replaced_buckets: vec![3], ..delta(2, 7, 9, true) };
    let mut actions = heard(&mut session, GatewayFrame::Delta(other));
    let Some(Action::Apply { change, .. }) = actions.pop() else { panic!("{actions:?}") };
    assert_eq!(change.removals, []);
    assert_eq!(change.scope, Scope::Buckets([3].into()));
}

#[test]
fn a_change_from_another_set_is_answered_with_what_is_held() {
    let mut session = established(facts(90, 7));
    heard(&mut session, GatewayFrame::Delta(delta(1, 5, 9, true)));
    let why = plan::Error::Gap { from: SetGeneration(5), holds: SetGeneration(7) };
    let actions = session.on(Duration::ZERO, Event::Answer(Answer::Refused { nonce: 1, why }));
    assert!(
        matches!(&actions[..], [Action::Send(AgentFrame::Ack(ack))] if (ack.nonce, ack.set_generation) == (1, 7))
    );
}

#[test]
fn it_beats_at_the_interval_that_the_gateway_names_and_ends_when_that_is_silent() {
    let mut session = established(facts(90, 7));
    assert_eq!(session.deadline(), SECOND);
    assert_eq!(session.on(SECOND / 2, Event::Tick), []);
    let actions = session.on(SECOND, Event::Tick);
    assert!(
        matches!(&actions[..], [Action::Send(AgentFrame::Heartbeat(beat))] if beat.log_index == 100 || beat.log_index == 90)
    );
    let actions = session.on(3 * SECOND, Event::Tick);
    assert_eq!(actions, [Action::Close(End::Silent(3 * SECOND))]);
    assert_eq!(session.on(4 * SECOND, Event::Tick), [], "what is over says nothing more");
}

#[test]
fn the_lease_lasts_from_when_what_the_gateway_heard_was_sent() {
    let (mut session, _) = Session::open(SECOND, SECOND, facts(90, 7), Declared::default(), b"boot");
    let Event::Frame(GatewayFrame::Welcome(welcome)) = welcome(2, 100) else { panic!() };
    let welcome = wire::Welcome { lease_ms: 60_000, ..welcome };
    let actions = session.on(2 * SECOND, Event::Frame(GatewayFrame::Welcome(welcome)));
    assert_eq!(actions, [Action::Established, Action::Renew(61 * SECOND)]);

    let actions = session.on(3 * SECOND, Event::Tick);
    let [Action::Send(AgentFrame::Heartbeat(wire::Heartbeat { sent_ms: 3_000, .. }))] = actions[..] else {
        panic!("{actions:?}")
    };
    let mut echo = |heard_ms| {
        let beat =
            wire::Heartbeat { heard_ms, log_index: 100, set_generation: 8, ..wire::Heartbeat::default() };
        session.on(5 * SECOND, Event::Frame(GatewayFrame::Heartbeat(beat)))
    };
    assert_eq!(echo(3_000), [Action::Renew(63 * SECOND)]);
    assert_eq!(echo(0), [], "a gateway that has heard nothing yet");
    assert_eq!(echo(999), [], "said before this session");
    assert_eq!(echo(6_000), [], "not said yet");
}

#[test]
fn a_gateway_that_does_not_greet_is_given_up() {
    let mut session = opened(facts(0, 0));
    assert_eq!(session.on(SECOND, Event::Tick), [Action::Close(End::Silent(SECOND))]);
}

#[test]
fn sets_that_stay_unlike_end_the_session_and_one_crossing_frame_does_not() {
    let other: SetDigest = [(Uid(Uuid::from_u128(1)), Generation(1))].into_iter().collect();
    let mut session = established(facts(90, 7));
    assert_eq!(heard(&mut session, beat(7, other)), []);
    assert_eq!(heard(&mut session, beat(8, other)), [], "it speaks of another set");
    assert_eq!(heard(&mut session, beat(7, other)), []);
    assert_eq!(heard(&mut session, beat(7, other)), []);
    assert_eq!(heard(&mut session, beat(7, other)), [Action::Close(End::Diverged(SetGeneration(7)))]);
}

#[test]
fn what_is_told_as_stopped_is_forgotten_once_the_gateway_speaks_again() {
    let mut session = established(facts(90, 7));
    let seen = Observation {
        uid: Uid(Uuid::from_u128(1)),
        generation: Generation(50),
        phase: Phase::Stopped,
        desired: 0,
        ready: 0,
        restarts: 0,
        reason: Reason::Stopped,
        last_error: String::new(),
        messages: Messages::default(),
        observed_at: UnixMillis(0),
    };
    let stopped = Removal { uid: seen.uid, generation: seen.generation };
    let running = Observation { uid: Uid(Uuid::from_u128(2)), phase: Phase::Ready, ..seen.clone() };
    let actions = session.on(Duration::ZERO, Event::Observed(vec![seen, running]));
    assert!(
        matches!(&actions[..], [Action::Send(AgentFrame::Observations(told))] if told.observations.len() == 2)
    );
    assert_eq!(heard(&mut session, beat(7, SetDigest::default())), [Action::Forget(vec![stopped])]);
    assert_eq!(heard(&mut session, beat(7, SetDigest::default())), []);
}

#[test]
fn held_removals_are_told_at_the_begin_and_taken_back_when_they_are_let_go() {
    let digest: SetDigest = [(Uid(Uuid::from_u128(1)), Generation(1))].into_iter().collect();
    let held = HeldRemovals { count: 1, total: 2, digest };
    let mut session = opened(Facts { held, ..facts(90, 7) });
    let actions = session.on(Duration::ZERO, welcome(2, 100));
    let [Action::Established, Action::Send(AgentFrame::RemovalsHeld(told))] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!((told.count, told.total), (1, 2));
    let confirm = wire::ConfirmRemovals { digest: told.digest.clone() };
    assert_eq!(heard(&mut session, GatewayFrame::ConfirmRemovals(confirm)), [Action::Confirm(digest)]);
    let let_go = Answer::Confirmed(HeldRemovals { total: 1, ..HeldRemovals::default() });
    let actions = session.on(Duration::ZERO, Event::Answer(let_go));
    assert!(matches!(&actions[..], [Action::Send(AgentFrame::RemovalsHeld(told))] if told.count == 0));
}

#[test]
fn one_certificate_is_asked_for_at_a_time_and_a_refusal_lets_it_be_asked_for_again() {
    let mut session = established(facts(90, 7));
    assert_eq!(session.on(Duration::ZERO, Event::CertificateDue), [Action::RequestCertificate]);
    assert_eq!(session.on(Duration::ZERO, Event::CertificateDue), []);
    let refused =
        wire::Certificate { refused: "the authority is away".into(), ..wire::Certificate::default() };
    assert_eq!(heard(&mut session, GatewayFrame::Certificate(refused)), []);
    assert_eq!(session.on(Duration::ZERO, Event::CertificateDue), [Action::RequestCertificate]);
    let granted =
        wire::Certificate { chain: vec![Bytes::from_static(b"leaf")], ..wire::Certificate::default() };
    let actions = heard(&mut session, GatewayFrame::Certificate(granted.clone()));
    assert!(matches!(&actions[..], [Action::InstallCertificate { chain, .. }] if chain.len() == 1));
    assert_eq!(heard(&mut session, GatewayFrame::Certificate(granted)), [], "nobody asked");
}

#[test]
fn a_redirect_is_followed_before_and_after_the_welcome() {
    let redirect = || {
        let gateways = vec!["other:1".to_owned()];
        GatewayFrame::Redirect(wire::Redirect { retry_after_ms: 5, gateways })
    };
    for mut session in [opened(facts(0, 0)), established(facts(0, 0))] {
        let actions = heard(&mut session, redirect());
        let end = End::Redirected { retry_after: Duration::from_millis(5), gateways: vec!["other:1".into()] };
        assert_eq!(actions, [Action::Close(end)]);
    }
}

#[test]
fn a_log_is_read_once_and_pieces_nobody_wants_any_more_are_dropped() {
    let mut session = established(facts(90, 7));
    let request =
        wire::LogRequest { id: 5, uid: removal(1).uid, instance: 2, tail_lines: Some(3), follow: true };
    let opened = heard(&mut session, GatewayFrame::LogRequest(request.clone()));
    assert!(matches!(opened[..], [Action::OpenLog(LogQuestion { id: 5, instance: 2, .. })]));
    let again = heard(&mut session, GatewayFrame::LogRequest(request));
    assert!(
        matches!(&again[..], [Action::Send(AgentFrame::LogData(data))] if data.end && !data.error.is_empty())
    );
    let piece = wire::LogData { id: 5, data: Bytes::from_static(b"line"), end: false, error: String::new() };
    assert_eq!(
        session.on(Duration::ZERO, Event::Log(piece.clone())),
        [Action::Send(AgentFrame::LogData(piece.clone()))]
    );
    assert_eq!(
        heard(&mut session, GatewayFrame::LogCancel(wire::LogCancel { id: 5 })),
        [Action::CloseLog(5)]
    );
    assert_eq!(session.on(Duration::ZERO, Event::Log(piece)), []);
}
