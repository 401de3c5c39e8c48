use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::{Signal as Number, getpid, kill_process};
use tokio::time::timeout;

use super::*;
use crate::tasks::{OnFailure, OnShutdown};

const SOON: Duration = Duration::from_secs(10);
const DRAIN: OnShutdown = OnShutdown::Drain { deadline: SOON };

struct Server {
    request: CancellationToken,
    tasks: Tasks,
    readiness: Readiness,
}

fn server(config: Config) -> (Server, Sequence) {
    let server =
        Server { request: CancellationToken::new(), tasks: Tasks::new(), readiness: Readiness::new() };
    let sequence = Sequence {
        config,
        signals: Signals::listen().unwrap(),
        request: server.request.clone(),
        tasks: server.tasks.clone(),
        readiness: server.readiness.clone(),
    };
    (server, sequence)
}

async fn ended(sequence: Sequence) -> Exit {
    timeout(SOON, sequence.run()).await.expect("the server ends soon")
}

#[tokio::test]
async fn stages_come_in_order_and_readiness_turns_first() {
    let (server, sequence) = server(Config::default());
    let order = Arc::new(Mutex::new(Vec::new()));
    for stage in [Stage::Flush, Stage::Drain, Stage::Accept] {
        let (order, readiness) = (order.clone(), server.readiness.clone());
        server.tasks.spawn("part", OnFailure::EndProcess, stage, DRAIN, move |stop| async move {
            stop.cancelled().await;
            assert!(!readiness.is_ready());
            order.lock().push(stage);
        });
    }
    server.request.cancel();
    assert_eq!(ended(sequence).await, Exit::Clean);
    assert_eq!(*order.lock(), Stage::ALL);
}

#[tokio::test]
async fn what_is_still_there_at_the_deadline_is_named() {
    let (server, sequence) = server(Config { deadline: Duration::from_millis(20), ..Config::default() });
    server.tasks.spawn("deaf", OnFailure::LogOnly, Stage::Drain, DRAIN, |_| std::future::pending::<()>());
    server.request.cancel();
    let exit = ended(sequence).await;
    assert_eq!(exit, Exit::DeadlinePassed(vec!["deaf".into()]));
    assert_eq!(exit.code(), 124);
}

#[tokio::test]
async fn a_failed_task_ends_the_server_with_an_error_after_the_others_were_flushed() {
    let (server, sequence) = server(Config::default());
    let flushed = Arc::new(Mutex::new(false));
    let seen = flushed.clone();
    server.tasks.spawn("writer", OnFailure::EndProcess, Stage::Flush, DRAIN, |stop| async move {
        stop.cancelled().await;
        *flushed.lock() = true;
    });
    server
        .tasks
        .spawn("session", OnFailure::EndProcess, Stage::Drain, DRAIN, |_| async { Err("protocol broken") });
    let exit = ended(sequence).await;
    assert!(matches!(&exit, Exit::Failed(fatal) if fatal.task == "session"), "{exit:?}");
    assert_eq!(exit.code(), 70);
    assert!(*seen.lock());
}

/// One test for both signals: they are the process's, and tests of one process run side by side.
#[tokio::test]
async fn the_first_signal_drains_and_the_second_ends_at_once() {
    let (server, sequence) = server(Config::default());
    let (told, is_told) = tokio::sync::oneshot::channel();
    server.tasks.spawn("deaf", OnFailure::LogOnly, Stage::Drain, DRAIN, |stop| async move {
        stop.cancelled().await;
        told.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    let signals = async {
        kill_process(getpid(), Number::TERM).unwrap();
        is_told.await.unwrap();
        kill_process(getpid(), Number::INT).unwrap();
    };
    let (exit, ()) = tokio::join!(ended(sequence), signals);
    assert_eq!(exit, Exit::Forced(Signal::Interrupt));
    assert_eq!(exit.code(), 130);
}
