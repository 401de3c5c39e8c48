use proptest::prelude::*;

use super::*;
use crate::host::ports::Pair;

const STABLE: Duration = Duration::from_mins(1);
const RETRY: Policy = Policy { min: Duration::from_secs(1), max: Duration::from_secs(8), factor: 2.0 };

fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

fn run(generation: u64, replicas: u32, command: u8) -> Wanted {
    Wanted::Run {
        generation: Generation(generation),
        revision: Revision(generation),
        replicas,
        command: digest(command),
    }
}

/// The driver without its effects: a component whose starts, stops and ends happen when the test says so.
struct World {
    now: Duration,
    wanted: Wanted,
    instances: ByIndex<Instance>,
}

impl World {
    fn new() -> Self {
        Self { now: Duration::from_secs(1000), wanted: Wanted::Unknown, instances: ByIndex::default() }
    }

    fn plan(&self) -> Vec<Action> {
        plan(self.now, &self.wanted, &self.instances)
    }

    fn want(&mut self, wanted: Wanted) -> Vec<Action> {
        self.wanted.replace(wanted);
        self.act()
    }

    fn act(&mut self) -> Vec<Action> {
        let actions = self.plan();
        for action in &actions {
            let (Action::Stop(index) | Action::Forget(index) | Action::Note(index) | Action::Start(index, _)) =
                action;
            let instance =
                self.instances.get_or_insert_with(*index, || Instance::new(RETRY, u64::from(*index)));
            match (action, &self.wanted) {
                (Action::Stop(_), _) => instance.stop(),
                (Action::Forget(_), _) => drop(self.instances.remove(*index)),
                (Action::Note(_), Wanted::Run { generation, revision, .. }) => {
                    instance.note(*generation, *revision).unwrap();
                }
                (Action::Start(_, restarts), Wanted::Run { generation, revision, command, .. }) => {
                    instance.start(Record {
                        generation: *generation,
                        revision: *revision,
                        command: *command,
                        ports: Pair::default(),
                        restarts: *restarts,
                        sealed: false,
                    });
                }
                (Action::Note(_) | Action::Start(..), _) => panic!("only what is wanted is started or noted"),
            }
        }
        actions
    }

    /// All starts succeed.
    fn all_started(&mut self) {
        for (_, instance) in self.instances.iter_mut() {
            if let Stage::Starting { record, .. } = &instance.stage {
                let record = record.clone();
                instance.started(record, self.now);
            }
        }
    }

    /// All that was told to stop has ended.
    fn all_stopped(&mut self) {
        for (_, instance) in self.instances.iter_mut() {
            if matches!(instance.stage, Stage::Stopping { .. }) {
                instance.ended(self.now, STABLE);
            }
        }
    }

    fn up(&self) -> Vec<(u32, u64)> {
        let up = self.instances.iter().filter(|(_, instance)| matches!(instance.stage, Stage::Up { .. }));
        up.map(|(index, instance)| (index, instance.record().unwrap().generation.0)).collect()
    }
}

#[test]
fn a_new_generation_with_the_same_command_restarts_nothing() {
    let mut world = World::new();
    world.want(run(1, 2, 7));
    world.all_started();
    assert_eq!(world.want(run(5, 2, 7)), [Action::Note(0), Action::Note(1)]);
    assert_eq!(world.up(), [(0, 5), (1, 5)]);
}

#[test]
fn another_command_stops_the_old_instance_and_starts_the_new_one_only_when_it_is_gone() {
    let mut world = World::new();
    world.want(run(1, 1, 7));
    world.all_started();
    assert_eq!(world.want(run(2, 1, 8)), [Action::Stop(0)]);
    assert_eq!(world.act(), []);
    world.all_stopped();
    assert_eq!(world.act(), [Action::Start(0, 0)]);
}

#[test]
fn fewer_replicas_stop_the_highest_and_more_start_the_missing() {
    let mut world = World::new();
    world.want(run(1, 3, 7));
    world.all_started();
    assert_eq!(world.want(run(2, 1, 7)), [Action::Stop(1), Action::Stop(2), Action::Note(0)]);
    world.all_stopped();
    assert_eq!(world.act(), [Action::Forget(1), Action::Forget(2)]);
    assert_eq!(world.want(run(3, 2, 7)), [Action::Note(0), Action::Start(1, 0)]);
}

#[test]
fn an_older_generation_is_refused_and_touches_nothing_that_a_newer_one_started() {
    let mut world = World::new();
    world.want(run(9, 1, 7));
    world.all_started();
    assert_eq!(world.want(run(8, 3, 8)), []);
    assert_eq!(world.want(Wanted::Stop { generation: Generation(3) }), []);
    // The same after a restart of the agent, which knows the newer generation from the record alone.
    world.wanted = Wanted::Stop { generation: Generation(3) };
    assert_eq!(world.plan(), []);
}

#[test]
fn what_nobody_said_anything_about_is_left_alone() {
    let mut world = World::new();
    world.want(run(1, 2, 7));
    world.all_started();
    world.wanted = Wanted::Unknown;
    assert_eq!(world.plan(), []);
}

#[test]
fn what_cannot_be_started_here_leaves_alone_what_runs_until_it_is_taken_away() {
    let mut world = World::new();
    world.want(run(1, 1, 7));
    world.all_started();
    let refused = Wanted::Refused {
        generation: Generation(2),
        replicas: 1,
        reason: Reason::MissingCapability,
        message: String::new(),
    };
    assert_eq!(world.want(refused), []);
    assert_eq!(world.want(Wanted::Stop { generation: Generation(3) }), [Action::Stop(0)]);
}

#[test]
fn an_agent_that_would_start_the_same_generation_otherwise_restarts_nothing() {
    let mut world = World::new();
    world.want(run(1, 1, 7));
    world.all_started();
    assert_eq!(world.want(run(1, 1, 8)), []);
    assert_eq!(world.want(run(2, 1, 8)), [Action::Stop(0)]);
}

#[test]
fn an_instance_that_keeps_ending_waits_longer_each_time_and_counts_its_restarts() {
    let mut world = World::new();
    world.want(run(1, 1, 7));
    let mut delays = Vec::new();
    for restart in 1..=5 {
        world.all_started();
        let delay = world.instances.get_mut(0).unwrap().ended(world.now, STABLE);
        assert_eq!(world.act(), [], "it is not started before its delay is over");
        assert_eq!(next_start(&world.wanted, &world.instances), Some(world.now + delay));
        world.now += delay;
        assert_eq!(world.act(), [Action::Start(0, restart)]);
        delays.push(delay);
    }
    assert!(delays[0] <= RETRY.min && delays[4] > delays[0] * 2 && delays[4] <= RETRY.max, "{delays:?}");
}

#[test]
fn an_instance_that_ran_long_enough_starts_again_with_the_shortest_delay() {
    let mut world = World::new();
    world.want(run(1, 1, 7));
    for _ in 0..5 {
        world.all_started();
        world.now += world.instances.get_mut(0).unwrap().ended(world.now, STABLE);
        world.act();
    }
    world.all_started();
    world.now += STABLE;
    assert!(world.instances.get_mut(0).unwrap().ended(world.now, STABLE) <= RETRY.min);
}

#[test]
fn a_start_that_is_called_off_is_stopped_when_it_succeeds_and_not_punished_when_it_fails() {
    let mut world = World::new();
    world.want(run(1, 1, 7));
    assert_eq!(world.want(Wanted::Stop { generation: Generation(2) }), [Action::Stop(0)]);
    world.all_started();
    assert_eq!(world.act(), [Action::Stop(0)]);

    let mut world = World::new();
    world.want(run(1, 1, 7));
    world.want(run(2, 1, 8));
    let delay = world.instances.get_mut(0).unwrap().start_failed(world.now, Reason::StartFailed);
    assert_eq!(delay, Duration::ZERO);
    assert_eq!(world.act(), [Action::Start(0, 0)]);
}

/// What may happen next in the world.
#[derive(Debug, Clone)]
enum Happening {
    Want(Wanted),
    Started,
    StartFailed(u32),
    Ended(u32),
    Stopped,
    Time(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let wanted = prop_oneof![
        4 => (1_u64..20, 0_u32..4, 0_u8..3).prop_map(|(generation, replicas, command)| run(generation, replicas, command)),
        1 => (1_u64..20).prop_map(|generation| Wanted::Stop { generation: Generation(generation) }),
    ];
    prop_oneof![
        3 => wanted.prop_map(Happening::Want),
        3 => Just(Happening::Started),
        1 => (0_u32..4).prop_map(Happening::StartFailed),
        1 => (0_u32..4).prop_map(Happening::Ended),
        2 => Just(Happening::Stopped),
        2 => (0_u64..10).prop_map(Happening::Time),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_an_applied_plan_is_complete_no_generation_goes_back_and_all_converges(
        happenings in proptest::collection::vec(happening(), 0..60),
    ) {
        let mut world = World::new();
        let mut highest = Generation(0);
        for happening in happenings {
            match happening {
                Happening::Want(wanted) => { world.wanted.replace(wanted); }
                Happening::Started => world.all_started(),
                Happening::StartFailed(index) => {
                    if let Some(instance) = world.instances.get_mut(index) {
                        instance.start_failed(world.now, Reason::StartFailed);
                    }
                }
                Happening::Ended(index) => {
                    let up = |instance: &&mut Instance| matches!(instance.stage, Stage::Up { .. } | Stage::Stopping { .. });
                    if let Some(instance) = world.instances.get_mut(index).filter(up) {
                        instance.ended(world.now, STABLE);
                    }
                }
                Happening::Stopped => world.all_stopped(),
                Happening::Time(seconds) => world.now += Duration::from_secs(seconds),
            }
            prop_assert!(world.wanted.generation() >= highest);
            highest = world.wanted.generation();
            let actions = world.act();
            let first_start = actions.iter().position(|action| matches!(action, Action::Start(..)));
            let last_stop = actions.iter().rposition(|action| matches!(action, Action::Stop(_)));
            prop_assert!(first_start.is_none() || last_stop.is_none_or(|stop| stop < first_start.unwrap()));
            prop_assert_eq!(world.plan(), vec![], "an applied plan leaves nothing to do");
        }
        for _ in 0..10 {
            world.now += RETRY.max;
            world.act();
            world.all_started();
            world.all_stopped();
        }
        let expected = match &world.wanted {
            Wanted::Run { generation, replicas, .. } => (0..*replicas).map(|index| (index, generation.0)).collect(),
            _ => Vec::new(),
        };
        prop_assert_eq!(world.up(), expected);
    }
}
