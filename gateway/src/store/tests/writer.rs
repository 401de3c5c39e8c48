//! The writer: nothing is told before it is durable, and everything is told after.

use std::sync::Arc;
use std::time::Duration;

use isthmus_daemon::clock::ManualClock;
use isthmus_model::order::{LogIndex, SetGeneration, UnixMillis};
use isthmus_model::reason::Reason;
use tokio_util::sync::CancellationToken;

use super::fixture::*;
use crate::store::command::{Command, Submission};
use crate::store::engine::Engine;
use crate::store::simulated::{Disk, Fault};
use crate::store::sqlite::SqliteEngine;
use crate::store::subscription;
use crate::store::writer::{Config, Failure, open};
use crate::store::{Closed, Handle, State};

/// A running store.
pub(super) struct Running {
    pub(super) handle: Handle,
    stop: CancellationToken,
    pub(super) ended: tokio::task::JoinHandle<Result<(), Failure>>,
}

impl Running {
    pub(super) fn start(engine: impl Engine) -> Self {
        Self::configured(engine, Config::default())
    }

    pub(super) fn configured(engine: impl Engine, config: Config) -> Self {
        let clock = Arc::new(ManualClock::starting_at(std::time::SystemTime::UNIX_EPOCH));
        let (handle, writer) = open(engine, clock, config).unwrap();
        let stop = CancellationToken::new();
        let running = writer.run(stop.clone());
        #[expect(clippy::disallowed_methods, reason = "the test is the composition root")]
        let ended = tokio::spawn(running);
        Self { handle, stop, ended }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
    }

    pub(super) async fn clusters(&self, names: &[&str], room: u64) {
        self.must(pulsar("main")).await;
        for name in names {
            for command in joining(name, name, &[], room) {
                self.must(command).await;
            }
        }
    }

    pub(super) async fn must(&self, command: Command) -> crate::store::Outcome {
        self.handle.submit(submission(command)).await.unwrap()
    }
}

pub(super) fn submission(command: Command) -> Submission {
    Submission { principal: principal(), time: UnixMillis(1), request: None, command }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(SqliteEngine::open(directory.path()).unwrap());
    running.clusters(&["a", "b"], 100).await;
    let epoch = running.handle.read(State::epoch).await.unwrap();
    for n in 0..50 {
        running.must(function(&format!("f{n}")).create()).await;
    }
    running.must(delete("f7")).await;
    let before = running.handle.read(dump).await.unwrap();
    running.stop().await;
    let running = Running::start(SqliteEngine::open(directory.path()).unwrap());
    assert_eq!(running.handle.read(dump).await.unwrap(), before);
    assert!(running.handle.read(State::epoch).await.unwrap() > epoch);
    running.must(function("f50").create()).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_and_no_read_goes_out_before_the_sync_returned() {
    let disk = Disk::new(1);
    let running = Running::start(disk.engine());
    running.clusters(&["a"], 10).await;
    let durable = running.handle.read(State::applied).await.unwrap();
    let cluster = running.handle.read(|state| state.clusters().next().unwrap().id()).await.unwrap();
    let mut dirty = running.handle.desired_changes(cluster);
    let mut commits = running.handle.subscribe(durable);
    disk.hold_syncs();
    let mut created = Box::pin(running.handle.submit(submission(function("f").create())));
    // It is written, and its sync does not return.
    assert!(futures::poll!(&mut created).is_pending());
    let held = disk.clone();
    tokio::task::spawn_blocking(move || held.wait_for_held_sync()).await.unwrap();
    let name = "t/n/f".parse().unwrap();
    let (decided, _) = running.handle.peek(|state| state.component(&name).is_some());
    assert!(decided, "the next decision sees it");
    let mut read = Box::pin(running.handle.read(|state| state.component(&name).is_some()));
    let mut refused = Box::pin(running.handle.submit(submission(function("f").create())));
    let mut watched = Box::pin(commits.next());
    for _ in 0..100 {
        assert!(futures::poll!(&mut created).is_pending(), "no answer");
        assert!(futures::poll!(&mut read).is_pending(), "no read");
        assert!(futures::poll!(&mut refused).is_pending(), "not even a refusal, which speaks of it");
        assert!(futures::poll!(&mut watched).is_pending(), "no watch");
        assert!(!dirty.has_changed().unwrap(), "no session");
        tokio::task::yield_now().await;
    }
    disk.release_syncs();
    let outcome = created.await.unwrap();
    assert_eq!(refused.await.unwrap_err().reason, Reason::AlreadyExists);
    assert!(read.await.unwrap());
    assert_eq!(watched.await.unwrap().index, outcome.index);
    dirty.changed().await.unwrap();
    assert_eq!(*dirty.borrow(), SetGeneration(1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_sees_what_its_own_commands_left_and_waits_for_no_later_sync() {
    let disk = Disk::new(1);
    let running = Running::start(disk.engine());
    running.clusters(&["a"], 10).await;
    disk.hold_syncs();
    let look = |state: &State, answers: &[crate::store::Answer]| (state.applied(), answers.len());
    let first = vec![submission(function("f").create())];
    let mut first = Box::pin(running.handle.submit_all_and_look(first, look));
    assert!(futures::poll!(&mut first).is_pending());
    let held = disk.clone();
    tokio::task::spawn_blocking(move || held.wait_for_held_sync()).await.unwrap();
    // Decided while the sync of the first is held, and made durable by another one.
    let mut second = Box::pin(running.handle.submit(submission(function("g").create())));
    assert!(futures::poll!(&mut second).is_pending());
    while running.handle.peek(State::component_count).0 < 2 {
        tokio::task::yield_now().await;
    }
    assert!(futures::poll!(&mut first).is_pending(), "what was seen is not durable yet");
    disk.release_syncs();
    let (answers, seen) = first.await;
    let index = answers[0].as_ref().unwrap().index;
    assert_eq!(seen, Some((index, 1)));
    assert!(second.await.unwrap().index > index);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_queues_up_during_a_sync_shares_the_next_one() {
    let disk = Disk::new(1);
    let running = Running::start(disk.engine());
    running.clusters(&["a"], 1000).await;
    disk.hold_syncs();
    let before = disk.syncs();
    let all = (0..200).map(|n| running.handle.submit(submission(function(&format!("f{n}")).create())));
    let all = futures::future::join_all(all);
    let release = async {
        let held = disk.clone();
        tokio::task::spawn_blocking(move || held.wait_for_held_sync()).await.unwrap();
        // All of them are decided while the first sync is held.
        let mut count = 0;
        while count < 200 {
            count = running.handle.peek(State::component_count).0;
            tokio::task::yield_now().await;
        }
        disk.release_syncs();
    };
    let (answers, ()) = tokio::join!(all, release);
    assert!(answers.iter().all(Result::is_ok));
    let syncs = disk.syncs() - before;
    assert!(syncs <= 4, "{syncs} syncs for 200 commits");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_append_ends_the_writer_and_nobody_is_told_what_may_be_lost() {
    let disk = Disk::new(1);
    let running = Running::start(disk.engine());
    running.clusters(&["a"], 10).await;
    let seen = running.handle.read(State::applied).await.unwrap();
    disk.fail_after(0, Fault::BeforeSync);
    let answer = running.handle.submit(submission(function("f").create())).await;
    assert_eq!(answer.unwrap_err().reason, Reason::Unavailable);
    let failure = running.ended.await.unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Append { .. }), "{failure}");
    let read = running.handle.read(State::component_count).await;
    assert_eq!(read, Err(Closed));
    let watch = running.handle.subscribe(seen).next().await;
    assert!(matches!(watch, Err(subscription::Error::Closed)));
    let answer = running.handle.submit(submission(function("g").create())).await;
    assert_eq!(answer.unwrap_err().reason, Reason::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_from_any_kept_commit_without_gaps() {
    let disk = Disk::new(1);
    let running = Running::start(disk.engine());
    running.clusters(&["a"], 9000).await;
    let many: Vec<_> = (0..6000).map(|n| submission(function(&format!("f{n}")).create())).collect();
    assert!(running.handle.submit_all(many).await.iter().all(Result::is_ok));
    let end = running.handle.read(State::applied).await.unwrap();
    // The first are in the engine only, the last are kept decoded.
    for after in [0, 1, 500, end.0 - 4097, end.0 - 4096, end.0 - 1] {
        let mut commits = running.handle.subscribe(LogIndex(after));
        for index in after + 1..=end.0 {
            assert_eq!(commits.next().await.unwrap().index.0, index);
        }
        let next = running.must(function(&format!("after{after}")).create());
        let (seen, outcome) = tokio::join!(commits.next(), next);
        assert!(seen.unwrap().index <= outcome.index);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_are_taken_the_log_is_compacted_and_a_watch_is_told_from_where_it_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        snapshot: bytesize::ByteSize::kib(64),
        history_size: bytesize::ByteSize::b(1),
        ..Config::default()
    };
    let running = Running::configured(SqliteEngine::open(directory.path()).unwrap(), config);
    running.clusters(&["a"], 100_000).await;
    let mut n = 0;
    let oldest = tokio::time::timeout(Duration::from_mins(1), async {
        loop {
            let many = (n..n + 100).map(|n| submission(function(&format!("f{n}")).create())).collect();
            assert!(running.handle.submit_all(many).await.iter().all(Result::is_ok));
            n += 100;
            // Behind what is kept decoded, the engine is asked.
            if n < 5000 {
                continue;
            }
            match running.handle.subscribe(LogIndex(0)).next().await {
                Err(subscription::Error::Compacted { oldest }) => return oldest,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    let oldest = oldest.await.expect("the log is compacted within a minute");
    assert_eq!(running.handle.subscribe(LogIndex(oldest.0 - 1)).next().await.unwrap().index, oldest);
    let before = running.handle.read(dump).await.unwrap();
    running.stop().await;
    let running = Running::configured(SqliteEngine::open(directory.path()).unwrap(), config);
    assert_eq!(running.handle.read(dump).await.unwrap(), before);
    running.stop().await;
}

#[tokio::test]
async fn who_waits_is_placed_by_the_writer_itself_and_driven_out_only_after_the_barrier() {
    let running = Running::start(Disk::new(1).engine());
    running.must(pulsar("main")).await;
    running.must(function("f").create()).await;
    for command in joining("a", "a", &[], 3) {
        running.must(command).await;
    }
    let places = |name: &'static str| {
        let name = format!("t/n/{name}").parse().unwrap();
        running.handle.read(move |state| {
            let view = state.component(&name).unwrap();
            view.assignments()
                .filter(|one| !one.removed())
                .map(|one| one.cluster().to_string())
                .collect::<Vec<_>>()
        })
    };
    let mut commits = running.handle.subscribe(LogIndex(0));
    while places("f").await.unwrap() != ["a"] {
        commits.next().await.unwrap();
    }
    for command in joining("b", "b", &[], 3) {
        running.must(command).await;
    }
    let evict = isthmus_model::policy::TaintEffect::Evict;
    let taint =
        isthmus_model::policy::Taint { key: "k".parse().unwrap(), value: String::new(), effect: evict };
    let update = crate::store::command::ClusterChange::Update { labels: labels(&[]), taints: vec![taint] };
    running.must(cluster("a", update)).await;
    running.must(function("g").create()).await;
    assert_eq!(places("f").await.unwrap(), ["a"], "the agents have not had time to come back");
    running.handle.lift_barrier().await.unwrap();
    while places("f").await.unwrap() != ["b"] {
        commits.next().await.unwrap();
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_submissions_never_exceed_the_room_of_a_cluster() {
    let running = Running::start(Disk::new(1).engine());
    running.clusters(&["a", "b"], 30).await;
    let all = (0..100).map(|n| running.handle.submit(submission(function(&format!("f{n}")).create())));
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    let (placed, waiting) = running
        .handle
        .read(|state| {
            let sum = state.sites().all().iter().map(|site| site.reserved().instances).collect::<Vec<_>>();
            (sum, state.waiting_count())
        })
        .await
        .unwrap();
    assert_eq!((placed, waiting), (vec![30, 30], 40));
    running.stop().await;
}
