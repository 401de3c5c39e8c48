//! Both ends of a session, wired together in memory: the gateway's and the agent's real values, with the agent's real plan
//! for its inbox, under loss, broken connections and restarts of either side, in any order.
//!
//! Every case is a list of steps that proptest draws and shrinks; a failure prints it, with the seed to repeat it.

mod gateway;
mod agent;
mod world;

use proptest::prelude::*;
use proptest::test_runner::Config;

use world::{Step, World};

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..16_u8).prop_map(Step::Assign),
        4 => (0..16_u8).prop_map(Step::Remove),
        6 => Just(Step::ToAgent),
        6 => Just(Step::ToGateway),
        5 => Just(Step::Tell),
        5 => Just(Step::Write),
        4 => (0..16_u8).prop_map(Step::Run),
        3 => Just(Step::Observe),
        2 => Just(Step::Time),
        2 => Just(Step::Cut),
        1 => Just(Step::RestartAgent),
        1 => Just(Step::RestartGateway),
        1 => Just(Step::LoseAgentsMemory),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 256, ..Config::default() })]

    /// P4, P3, P7: after any misfortune the agent comes to hold exactly the gateway's set, nothing ever goes back to an
    /// older generation, and a restart of either side after that sends nothing.
    #[test]
    fn any_interleaving_converges_and_a_restart_afterwards_sends_nothing(
        steps in prop::collection::vec(step(), 1..200),
        window in 1..5_u32,
    ) {
        let mut world = World::new(window);
        for step in steps {
            world.take(step)?;
        }
        world.heal()?;
        world.converged()?;
        let sent = world.changes_sent();
        world.take(Step::RestartAgent)?;
        world.heal()?;
        world.take(Step::RestartGateway)?;
        world.heal()?;
        world.converged()?;
        prop_assert_eq!(world.changes_sent(), sent, "a restart sent changes that nobody needs");
    }
}

/// The checker is worth something only if it notices: an agent that forgets a write that it acknowledged must be found out.
#[test]
fn an_agent_that_acknowledges_before_it_is_durable_is_noticed() {
    let mut world = World::new(4);
    let steps = [Step::Assign(1), Step::Tell, Step::ToAgent, Step::Write, Step::ToGateway];
    steps.into_iter().chain([Step::Assign(2)]).for_each(|step| world.take(step).unwrap());
    world.heal().unwrap();
    world.converged().unwrap();
    world.forget_last_write();
    assert!(world.converged().is_err());
}
