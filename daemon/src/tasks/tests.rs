use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(10);
const DRAIN: OnShutdown = OnShutdown::Drain { deadline: SOON };

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(SOON, what).await.expect("this happens soon or not at all")
}

fn broken() -> std::io::Error {
    std::io::Error::other("the disk is gone")
}

#[tokio::test]
async fn the_failure_of_an_essential_task_ends_the_process() {
    let tasks = Tasks::new();
    tasks.spawn("writer", OnFailure::EndProcess, Stage::Flush, DRAIN, |_| async { Err(broken()) });
    let fatal = soon(tasks.fatal()).await;
    assert_eq!(fatal, Fatal { task: "writer".into(), problem: "the disk is gone".into() });
}

#[tokio::test]
async fn the_silent_end_of_an_essential_task_is_a_failure() {
    let tasks = Tasks::new();
    tasks.spawn("lease", OnFailure::EndProcess, Stage::Drain, DRAIN, |_| async {});
    assert_eq!(soon(tasks.fatal()).await.problem, "it ended by itself");
}

#[tokio::test]
async fn a_panic_is_a_failure_and_harms_no_other_task() {
    let tasks = Tasks::new();
    let (release, released) = oneshot::channel::<()>();
    let (done, is_done) = oneshot::channel();
    tasks.spawn("other", OnFailure::LogOnly, Stage::Drain, DRAIN, |_| async move {
        released.await.unwrap();
        done.send(()).unwrap();
    });
    tasks.spawn("fragile", OnFailure::EndProcess, Stage::Drain, DRAIN, |_| async {
        panic!("one bad object");
        #[expect(unreachable_code, reason = "gives the future its type")]
        Ok::<(), Infallible>(())
    });
    assert_eq!(soon(tasks.fatal()).await.problem, "it panicked: one bad object");
    release.send(()).unwrap();
    soon(is_done).await.unwrap();
}

#[tokio::test]
async fn a_restarting_task_is_made_anew_after_errors_panics_and_silent_ends() {
    let tasks = Tasks::new();
    let runs = Arc::new(AtomicUsize::new(0));
    let (done, mut is_done) = mpsc::channel(1);
    let retry = Policy::between(Duration::from_millis(1), Duration::from_millis(2));
    let counted = runs.clone();
    tasks.spawn_restarting("link", retry, Stage::Drain, OnShutdown::Abort, move |_| {
        let (done, run) = (done.clone(), counted.fetch_add(1, Ordering::SeqCst));
        async move {
            match run {
                0 => return Err(broken()),
                1 => panic!("a bug"),
                2 => {}
                _ => {
                    done.send(()).await.unwrap();
                    std::future::pending::<()>().await;
                }
            }
            Ok(())
        }
    });
    soon(is_done.recv()).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    soon(tasks.stop(Stage::Drain)).await;
    assert!(tasks.remaining().is_empty());
}

#[tokio::test]
async fn a_draining_task_is_told_and_waited_for() {
    let tasks = Tasks::new();
    let (done, mut is_done) = oneshot::channel();
    tasks.spawn("writer", OnFailure::EndProcess, Stage::Flush, DRAIN, |stop| async move {
        stop.cancelled().await;
        tokio::task::yield_now().await;
        done.send("flushed").unwrap();
    });
    assert_eq!(tasks.remaining(), ["writer"]);
    soon(tasks.stop(Stage::Flush)).await;
    assert_eq!(is_done.try_recv(), Ok("flushed"));
    assert!(tasks.remaining().is_empty());
}

#[tokio::test]
async fn a_task_that_overruns_its_deadline_is_dropped() {
    let tasks = Tasks::new();
    let drain = OnShutdown::Drain { deadline: Duration::from_millis(5) };
    let (held, mut is_dropped) = oneshot::channel::<()>();
    tasks.spawn("stuck", OnFailure::LogOnly, Stage::Drain, drain, |_| async move {
        std::future::pending::<()>().await;
        drop(held);
    });
    soon(tasks.stop(Stage::Drain)).await;
    assert!(matches!(is_dropped.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
}

#[tokio::test]
async fn one_stage_leaves_the_next_alone() {
    let tasks = Tasks::new();
    tasks.spawn("listener", OnFailure::EndProcess, Stage::Accept, OnShutdown::Abort, |_| {
        std::future::pending::<()>()
    });
    tasks.spawn("writer", OnFailure::EndProcess, Stage::Flush, OnShutdown::Abort, |_| {
        std::future::pending::<()>()
    });
    soon(tasks.stop(Stage::Accept)).await;
    assert_eq!(tasks.remaining(), ["writer"]);
    soon(tasks.stop(Stage::Flush)).await;
    assert!(tasks.remaining().is_empty());
}

#[tokio::test]
async fn requests_are_counted_told_and_waited_for() {
    let tasks = Tasks::new();
    tasks.spawn_request(|stop| async move { stop.cancelled().await });
    tasks.spawn_request(|_| async { panic!("a bad request") });
    assert_eq!(tasks.remaining(), ["2 requests"]);
    soon(tasks.stop(Stage::Drain)).await;
    assert!(tasks.remaining().is_empty());
}

#[tokio::test]
async fn aborting_drops_what_does_not_listen() {
    let tasks = Tasks::new();
    tasks.spawn_request(|_| std::future::pending());
    tasks.spawn("deaf", OnFailure::LogOnly, Stage::Drain, DRAIN, |_| std::future::pending::<()>());
    let stopping = tasks.stop(Stage::Drain);
    tasks.abort_all();
    soon(stopping).await;
    assert!(tasks.remaining().is_empty());
}
