//! SIGTERM: told to stop, a program ends in order, in time, and with exit code 0, which the testbed's stop insists on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use isthmus_proto::component::v1::WatchRequest;
use isthmus_tests::fixture::{function, package};
use isthmus_tests::{Federation, SOON};
use tokio::task::JoinSet;
use tonic::Code;

/// A stop that takes longer waits for something that it should have ended.
const DEADLINE: Duration = Duration::from_secs(15);

/// A process that runs until it is told to end.
const SLEEPER: &str = "#!/bin/sh\nwhile :; do sleep 1; done\n";

#[tokio::test]
async fn a_gateway_closes_its_watches_and_ends_in_time_while_agents_are_connected() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    let client = federation.client().clone();
    client.functions().create(function("greet").create()).await?;
    let mut watches = Vec::new();
    for _ in 0..10 {
        watches.push(client.functions().watch(WatchRequest::default()).await?.into_inner());
    }

    let began = Instant::now();
    federation.stop_gateway().await?;
    assert!(began.elapsed() < DEADLINE, "it took {:?}", began.elapsed());

    for mut watch in watches {
        let read = async {
            loop {
                match watch.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(()),
                    Err(status) if status.code() == Code::Unavailable => return Ok(()),
                    Err(status) => return Err(status),
                }
            }
        };
        let end: Result<(), tonic::Status> =
            tokio::time::timeout(SOON, read).await.context("a watch stays open without a gateway")?;
        end.context("a watch ends in order, or says that the gateway is away")?;
    }
    federation.resume_gateway().await?;
    federation.until_in_step("east").await?;
    federation.end().await
}

#[tokio::test]
async fn a_gateway_that_stops_under_load_keeps_what_it_acknowledged() -> Result<()> {
    const CALLS: usize = 300;

    let mut federation = Federation::builder().start().await?;
    let client = federation.client().clone();
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let (mut functions, name) = (client.functions(), format!("f{number}"));
        calls.spawn(async move { (functions.create(function(&name).create()).await, name) });
    }
    let (first, _) = calls.join_next().await.context("a call")??;
    first.context("the first call of all is answered")?;
    federation.stop_gateway().await?;

    let mut acknowledged = 1;
    while let Some(call) = calls.join_next().await {
        match call? {
            (Ok(_), _) => acknowledged += 1,
            (Err(status), name) => {
                let away = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled);
                assert!(away, "{name}: {status:?}");
            }
        }
    }
    federation.resume_gateway().await?;
    let found = federation.list_all().await?.len();
    assert!(found >= acknowledged, "{acknowledged} were acknowledged, {found} are there");
    federation.end().await
}

#[tokio::test]
async fn an_agent_ends_in_time_and_its_instances_live_on() -> Result<()> {
    let mut federation = Federation::builder().agents(["east"]).start().await?;
    let sleeper = federation.upload("sleeper", SLEEPER.as_bytes()).await?;
    let request = function("sleeps").replicas(2).go(package("sleeper", &sleeper)).create();
    federation.client().functions().create(request).await?;
    let before = federation.until_programs("east", 2).await?;

    let began = Instant::now();
    federation.stop_agent("east").await?;
    assert!(began.elapsed() < DEADLINE, "it took {:?}", began.elapsed());
    let alive = |program: &serde_json::Value| {
        let pid = program.get("pid").and_then(serde_json::Value::as_i64).unwrap_or_default();
        federation.run().processes().iter().any(|running| i64::from(*running) == pid)
    };
    assert!(before.values().all(alive), "{before:?}");

    federation.resume_agent("east").await?;
    federation.until_in_step("east").await?;
    assert_eq!(federation.programs("east")?, before, "pid and start time");
    federation.end().await
}
