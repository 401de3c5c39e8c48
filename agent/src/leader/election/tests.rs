use proptest::prelude::*;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn election() -> Election {
    Election::new(&Config::default())
}

fn seen(version: &str, holder: Holder) -> Event {
    Event::Read(Some(Seen { version: version.to_owned(), holder, duration: ms(3000) }))
}

fn written(sent: u64, version: &str) -> Event {
    Event::Written { sent: ms(sent), version: version.to_owned() }
}

fn holder() -> Election {
    let mut election = election();
    election.on(written(0, "1"), ms(10));
    election
}

#[test]
fn a_lease_that_nobody_has_is_taken_at_once() {
    assert_eq!(election().on(Event::Read(None), ms(0)), [Action::Write(None)]);
    assert_eq!(election().on(seen("7", Holder::Nobody), ms(0)), [Action::Write(Some("7".to_owned()))]);
}

#[test]
fn a_lease_is_taken_over_when_it_was_not_renewed_for_as_long_as_it_says() {
    let mut election = election();
    assert_eq!(election.on(seen("7", Holder::Other), ms(100)), [Action::Wake(ms(400))]);
    assert_eq!(election.on(seen("7", Holder::Other), ms(3000)), [Action::Wake(ms(3100))]);
    assert_eq!(election.on(seen("8", Holder::Other), ms(3100)), [Action::Wake(ms(3400))], "it was renewed");
    assert_eq!(election.on(seen("8", Holder::Other), ms(6100)), [Action::Write(Some("8".to_owned()))]);
    assert_eq!(election.on(Event::Conflict, ms(6110)), [Action::Wake(ms(6410))], "another was faster");
}

#[test]
fn a_holder_counts_from_when_it_sent_the_renewal_and_ends_before_others_may_begin() {
    let mut election = election();
    assert_eq!(election.on(written(100, "1"), ms(600)), [Action::Hold(ms(2800)), Action::Wake(ms(1100))]);
    assert_eq!(election.on(Event::Due, ms(1100)), [Action::Write(Some("1".to_owned()))]);
    assert_eq!(election.on(Event::Failed, ms(2600)), [Action::Wake(ms(2800))]);
    assert_eq!(election.on(Event::Due, ms(2800)), [Action::Lose]);
    assert_eq!(
        election.on(written(1100, "2"), ms(2900)),
        [],
        "an answer that comes too late changes nothing"
    );
}

#[test]
fn a_claim_whose_answer_took_longer_than_the_lease_gives_nothing() {
    assert_eq!(election().on(written(0, "1"), ms(2700)), [Action::Wake(ms(3000))]);
}

#[test]
fn a_holder_whose_renewal_was_only_not_answered_stays_and_one_that_was_replaced_ends() {
    let mut stays = holder();
    assert_eq!(stays.on(Event::Conflict, ms(1500)), [Action::Read]);
    assert_eq!(stays.on(seen("2", Holder::This), ms(1600)), [Action::Write(Some("2".to_owned()))]);
    assert_eq!(stays.on(written(1600, "3"), ms(1700)), [Action::Hold(ms(4300)), Action::Wake(ms(2600))]);
    assert_eq!(stays.on(Event::Read(None), ms(1800)), [Action::Write(None)], "somebody deleted it");
    for holder_now in [Holder::Other, Holder::Nobody] {
        assert_eq!(holder().on(seen("2", holder_now), ms(1600)), [Action::Lose]);
    }
}

#[test]
fn who_stops_gives_up_what_it_holds_and_nothing_else() {
    let mut holds = holder();
    assert_eq!(holds.on(Event::Stop, ms(100)), [Action::Release("1".to_owned())]);
    assert_eq!(holds.on(Event::Due, ms(200)), []);
    assert_eq!(election().on(Event::Stop, ms(100)), []);
    assert_eq!(holder().on(Event::Stop, ms(2700)), [Action::Lose], "it is too late to release");
}

/// A Lease and two agents, whose calls are carried out after a while and whose answers may be lost.
struct World {
    agents: Vec<(Election, Option<Duration>, Duration)>,
    record: Option<(u64, usize)>,
    version: u64,
}

impl World {
    fn new() -> Self {
        let agents = (0..2).map(|_| (election(), None, ms(0))).collect();
        Self { agents, record: None, version: 0 }
    }

    /// Lets an agent act at `now`; its calls are carried out at once, and answered `late` unless they are lost.
    fn step(&mut self, agent: usize, now: Duration, late: Duration, lost: bool) {
        let mut events = vec![(Event::Due, now)];
        while let Some((event, at)) = events.pop() {
            let actions = self.agents[agent].0.on(event, at);
            for action in actions {
                match action {
                    Action::Wake(at) => self.agents[agent].2 = at,
                    Action::Hold(until) => self.agents[agent].1 = Some(until),
                    Action::Lose => self.agents[agent] = (election(), None, at),
                    Action::Release(_) => self.record = None,
                    Action::Read if lost => events.push((Event::Failed, at + late)),
                    Action::Read => {
                        let record = self.record.map(|(version, holder)| Seen {
                            version: version.to_string(),
                            holder: if holder == agent { Holder::This } else { Holder::Other },
                            duration: ms(3000),
                        });
                        events.push((Event::Read(record), at + late));
                    }
                    Action::Write(over) => {
                        if over != self.record.map(|(version, _)| version.to_string()) {
                            events.push((Event::Conflict, at + late));
                            continue;
                        }
                        self.version += 1;
                        self.record = Some((self.version, agent));
                        let version = self.version.to_string();
                        let answer = if lost { Event::Failed } else { Event::Written { sent: at, version } };
                        events.push((answer, at + late));
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn two_never_hold_at_once(steps in prop::collection::vec((0..2_usize, 0..900_u64, 0..120_u64, any::<bool>()), 1..200)) {
        let (mut world, mut now) = (World::new(), ms(0));
        for (agent, pause, late, lost) in steps {
            now += ms(pause);
            // An agent acts when it asked to, or later, as one that slept.
            if now >= world.agents[agent].2 {
                world.step(agent, now, ms(late), lost);
            }
            let holders = world.agents.iter().filter(|(_, until, _)| until.is_some_and(|until| now < until));
            prop_assert!(holders.count() < 2);
        }
    }
}
