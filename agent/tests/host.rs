//! A local target with real guards and real processes. Shell scripts stand in for Go functions: to the target a Go function is a
//! program like any other. Pulsar is not needed here, so that no instance ever becomes ready; what needs it is tested with it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics; what clippy.toml allows covers test functions only, not their helpers"
)]

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::StreamExt;
use isthmus_agent::host::attached::{Access, Attachments, Client};
use isthmus_agent::host::config::Ports;
use isthmus_agent::host::{Config, LocalTarget};
use isthmus_agent::lease::{Lessor, lease};
use isthmus_agent::target::{
    Desired, DesiredSet, DesiredWriter, LogOptions, Observe, Package, Packages, Target, desired,
};
use isthmus_daemon::backoff::Policy;
use isthmus_daemon::clock::{Clock, SystemClock};
use isthmus_model::assignment::{Assignment, Removal};
use isthmus_model::component::{Component, ComponentKind, Input, Runtime, SecretRef, Spec};
use isthmus_model::name::{Digest, FullName, PulsarClusterName, Uid};
use isthmus_model::observation::{Observation, Phase};
use isthmus_model::order::{Generation, Revision};
use isthmus_model::package::PackageRef;
use isthmus_model::policy::Placement;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_model::reason::Reason;
use isthmus_proto::convert::component::encode;
use isthmus_sealing::PrivateKey;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Prints a line and waits to be ended.
const LASTING: &str = "#!/bin/sh\necho started; exec sleep 1000\n";

/// Prints what it makes of a secret, and waits to be ended.
const DISCREET: &str = "#!/bin/sh\nprintf %s \"$PASSWORD\" | sha256sum; exec sleep 1000\n";

/// Repeats its secret and fails.
const INDISCREET: &str = "#!/bin/sh\necho \"Error: cannot log in with $PASSWORD\" >&2; exit 3\n";

/// Fails at once.
const FAILING: &str = "#!/bin/sh\necho 'Error: cannot go on' >&2; exit 3\n";

const UID: Uid = Uid(uuid::Uuid::from_u128(7));

/// The guard's program, built from this checkout.
static RUNNER: LazyLock<PathBuf> = LazyLock::new(|| {
    let build =
        Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "isthmus-runner"]).status();
    assert!(build.unwrap().success(), "isthmus-runner does not build");
    // target/debug/deps/THIS: the programs are one directory up.
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().join("isthmus-runner")
});

/// A host without Pulsar.
#[derive(Debug)]
struct NoPulsar;

impl Attachments for NoPulsar {
    type Error = std::io::Error;

    async fn attached(&self, _: &Access, _: &str) -> Result<Vec<Client>, std::io::Error> {
        Ok(Vec::new())
    }

    async fn matching(&self, _: &Access, _: &str) -> Result<Vec<String>, std::io::Error> {
        Ok(Vec::new())
    }
}

/// Scripts by their digests.
#[derive(Clone, Default)]
struct Scripts {
    directory: PathBuf,
    by_digest: HashMap<Digest, &'static str>,
}

impl Scripts {
    fn digest(text: &str) -> Digest {
        use sha2::Digest as _;
        Digest(sha2::Sha256::digest(text.as_bytes()).into())
    }
}

impl Packages for Scripts {
    type Error = std::io::Error;

    async fn package(&self, digest: Digest) -> Result<Package, std::io::Error> {
        let text = self.by_digest.get(&digest).ok_or(std::io::ErrorKind::NotFound)?;
        let path = self.directory.join(digest.to_string());
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o555))?;
        Ok(Package::pinned(path, Arc::default()))
    }
}

/// Keeps the newest observation of each component.
#[derive(Clone)]
struct Seen(Arc<watch::Sender<BTreeMap<Uid, Observation>>>);

impl Observe for Seen {
    fn observe(&self, observation: Observation) {
        self.0.send_modify(|seen| drop(seen.insert(observation.uid, observation)));
    }
}

/// A host: a directory that outlives the agents that look after it.
struct Host {
    directory: tempfile::TempDir,
    scripts: Scripts,
    /// Opens secrets that travelled sealed.
    key: PrivateKey,
}

/// An agent's target on that host.
struct Agent {
    writer: DesiredWriter,
    seen: watch::Receiver<BTreeMap<Uid, Observation>>,
    target: Arc<LocalTarget<NoPulsar>>,
    lessor: Lessor,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let scripts = [LASTING, FAILING, DISCREET, INDISCREET];
        let by_digest = scripts.into_iter().map(|text| (Scripts::digest(text), text)).collect();
        let scripts = Scripts { directory: directory.path().to_path_buf(), by_digest };
        Self { directory, scripts, key: PrivateKey::generate() }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// An agent starts, with what its inbox holds.
    async fn agent(&self, loaded: DesiredSet) -> Agent {
        let config = Config {
            runner: Some(RUNNER.clone()),
            backoff: Policy::between(Duration::from_millis(20), Duration::from_millis(100)),
            stop_grace: Duration::from_secs(5),
            ports: Ports { first: 23_000, last: 24_999 },
            ..Config::default()
        };
        let (key, clock) = (self.key.clone(), Arc::new(SystemClock));
        let target = LocalTarget::open(&self.data(), config, key, clock, NoPulsar).await.unwrap();
        let target = Arc::new(target);
        let (writer, handle) = desired(loaded);
        let (sender, seen) = watch::channel(BTreeMap::new());
        let stop = CancellationToken::new();
        let (lessor, lease) = lease();
        let observe = Seen(Arc::new(sender));
        let run = Arc::clone(&target).run(handle, observe, self.scripts.clone(), lease, stop.clone());
        #[expect(clippy::disallowed_methods, reason = "a test is its own composition")]
        let running = tokio::spawn(async { run.await.unwrap() });
        Agent { writer, seen, target, lessor, stop, running }
    }

    /// Pids of the programs that run here, by instance.
    fn programs(&self) -> BTreeMap<u32, i64> {
        let folder = self.data().join("instances").join(UID.to_string());
        let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
        let program = |path: PathBuf| {
            let index = path.file_name()?.to_str()?.parse().ok()?;
            let state: Value = serde_json::from_slice(&std::fs::read(path.join("state.json")).ok()?).ok()?;
            let pid = state["child"]["pid"].as_i64()?;
            is_alive(pid).then_some((index, pid))
        };
        entries.filter_map(|entry| program(entry.unwrap().path())).collect()
    }

    /// Whether a text is in any file that outlives the agent.
    fn keeps(&self, text: &str) -> bool {
        let found = Command::new("grep").args(["-rlF", "--", text]).arg(self.data()).output().unwrap();
        assert!(found.status.code().is_some_and(|code| code < 2), "grep cannot look: {found:?}");
        !found.stdout.is_empty()
    }

    fn log(&self) -> String {
        let log = self.data().join(format!("instances/{UID}/0/instance.log"));
        std::fs::read_to_string(log).unwrap_or_default()
    }

    fn guard(&self, index: u32) -> i64 {
        let file = self.data().join(format!("instances/{UID}/{index}/state.json"));
        let state: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        state["guard"]["pid"].as_i64().unwrap()
    }
}

impl Drop for Host {
    /// Whatever a failed test left running.
    fn drop(&mut self) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let data = self.directory.path().as_os_str().as_encoded_bytes();
            let is_ours = environment.windows(data.len()).any(|window| window == data);
            if is_ours && let Ok(pid) = entry.file_name().to_string_lossy().parse::<i64>() {
                kill(pid);
            }
        }
    }
}

impl Agent {
    fn want(&self, desired: Desired) {
        self.writer.update(|set| {
            set.settled = true;
            set.entries.insert(desired.uid(), desired);
        });
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Observation) -> bool) -> Observation {
        let mut last = None;
        let wait = self.seen.wait_for(|seen| {
            last = seen.get(&UID).cloned();
            last.as_ref().is_some_and(&is_so)
        });
        let result = tokio::time::timeout(Duration::from_mins(1), wait).await.map(|_| ());
        assert!(result.is_ok(), "not seen: {what}; last seen: {last:?}");
        last.unwrap()
    }

    /// The gateway has heard of this agent, and what has one owner may run for so long from now on.
    fn may_run_for(&self, time: Duration) -> Duration {
        let until = SystemClock.boot() + time;
        self.lessor.renew(until);
        until
    }

    /// The agent goes away; what it looks after does not.
    async fn goes_away(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn run(generation: u64, replicas: u32, script: &str) -> Desired {
    wanted(generation, replicas, script, Input::default())
}

/// What keeps the order of its messages has one owner.
fn run_ordered(generation: u64, script: &str) -> Desired {
    wanted(generation, 1, script, Input { retain_ordering: true, ..Input::default() })
}

fn wanted(generation: u64, replicas: u32, script: &str, input: Input) -> Desired {
    let package = PackageRef {
        file: "greet".into(),
        location: format!("sha256:{}", Scripts::digest(script)),
        digest: Some(Scripts::digest(script)),
    };
    let name = FullName::new("public", "default", "greet").unwrap();
    let component = Component {
        kind: ComponentKind::Function,
        name: name.clone(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        placement: Placement::default(),
        spec: Box::new(Spec {
            runtime: Some(Runtime::Go { package, log: None }),
            input: Some(input),
            ..Spec::default()
        }),
    };
    Desired::Run(Arc::new(Assignment {
        uid: UID,
        name,
        kind: ComponentKind::Function,
        generation: Generation(generation),
        revision: Revision(1),
        replicas,
        pulsar: Arc::new(PulsarCluster {
            name: PulsarClusterName::new("nowhere").unwrap(),
            service_url: "pulsar://127.0.0.1:1".into(),
            admin_url: "http://127.0.0.1:1".into(),
            pulsar_name: String::new(),
            state_service_url: String::new(),
            peers: Vec::new(),
        }),
        spec: Arc::from(&*encode(&component)),
        sealed: None,
    }))
}

/// One instance with a secret that travels sealed for this key.
fn run_sealed(generation: u64, script: &str, password: &str, key: &PrivateKey) -> Desired {
    let Desired::Run(assignment) = run(generation, 1, script) else { unreachable!() };
    let mut assignment = Arc::unwrap_or_clone(assignment);
    let mut component = isthmus_proto::convert::component::decode(&assignment.spec).unwrap();
    component.spec.secrets = [("PASSWORD".to_owned(), SecretRef::default())].into();
    assignment.spec = Arc::from(&*encode(&component));
    let values = [("PASSWORD".to_owned(), Zeroizing::new(password.to_owned()))].into_iter().collect();
    let sealed = isthmus_sealing::seal(&component.name, &values, &[key.public()].into()).unwrap();
    assignment.sealed = Some(Arc::new(sealed));
    Desired::Run(Arc::new(assignment))
}

fn stop(generation: u64) -> Desired {
    Desired::Stop(Removal { uid: UID, generation: Generation(generation) })
}

fn set(desired: Desired) -> DesiredSet {
    DesiredSet { entries: BTreeMap::from([(desired.uid(), desired)]), settled: true }
}

fn is_alive(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn kill(pid: i64) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // Gone already is as good.
    let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !is_so() {
            ticks.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), wait).await.is_ok(), "not so: {what}");
}

fn all_up(count: u32) -> impl Fn(&Observation) -> bool {
    move |seen| seen.phase == Phase::Progressing && seen.reason == Reason::Starting && seen.desired == count
}

#[tokio::test]
async fn an_assignment_becomes_processes_and_stopped_is_said_only_when_they_are_gone() {
    let host = Host::new();
    let mut agent = host.agent(DesiredSet::default()).await;
    agent.want(run(1, 3, LASTING));
    agent.until("three instances", all_up(3)).await;
    until("three programs", || host.programs().len() == 3).await;
    let programs: Vec<i64> = host.programs().into_values().collect();

    agent.want(stop(2));
    let stopped = agent.until("the end", |seen| seen.phase == Phase::Stopped).await;
    assert_eq!((stopped.generation, stopped.reason), (Generation(2), Reason::Stopped));
    assert!(programs.into_iter().all(|pid| !is_alive(pid)));
    assert!(!host.data().join("instances").join(UID.to_string()).exists());
    agent.goes_away().await;
}

#[tokio::test]
async fn an_agent_that_comes_back_takes_over_what_runs_and_restarts_nothing() {
    let host = Host::new();
    let mut agent = host.agent(DesiredSet::default()).await;
    agent.want(run(1, 2, LASTING));
    agent.until("two instances", all_up(2)).await;
    let before = host.programs();
    agent.goes_away().await;
    assert_eq!(host.programs(), before, "instances live on without their agent");

    let mut agent = host.agent(set(run(1, 2, LASTING))).await;
    let seen = agent.until("two instances again", all_up(2)).await;
    assert_eq!((seen.restarts, seen.generation), (0, Generation(1)));
    assert_eq!(host.programs(), before);

    // It is in charge of them again.
    agent.want(stop(2));
    agent.until("the end", |seen| seen.phase == Phase::Stopped).await;
    assert_eq!(host.programs(), BTreeMap::new());
    agent.goes_away().await;
}

#[tokio::test]
async fn an_agent_whose_inbox_was_lost_stops_nothing_until_it_was_told_everything() {
    let host = Host::new();
    let mut agent = host.agent(DesiredSet::default()).await;
    agent.want(run(1, 1, LASTING));
    agent.until("one instance", all_up(1)).await;
    let before = host.programs();
    agent.goes_away().await;

    let agent = host.agent(DesiredSet::default()).await;
    // Something else is wanted, so that the agent has surely looked at its set.
    agent.writer.update(|set| {
        let removal = Removal { uid: Uid(uuid::Uuid::from_u128(8)), generation: Generation(3) };
        set.entries.insert(removal.uid, Desired::Stop(removal));
    });
    let mut seen = agent.seen.clone();
    seen.wait_for(|seen| seen.len() == 1).await.unwrap();
    assert_eq!(host.programs(), before);

    agent.writer.update(|set| set.settled = true);
    until("what nobody wants is stopped", || host.programs().is_empty()).await;
    agent.goes_away().await;
}

#[tokio::test]
async fn a_change_of_generation_alone_keeps_the_process_and_another_package_replaces_it() {
    let host = Host::new();
    let mut agent = host.agent(set(run(1, 1, LASTING))).await;
    agent.until("one instance", all_up(1)).await;
    let before = host.programs();
    agent.want(run(5, 1, LASTING));
    agent.until("the new generation", |seen| seen.generation == Generation(5)).await;
    assert_eq!(host.programs(), before);

    agent.want(run(6, 1, FAILING));
    agent.until("the replacement", |seen| seen.generation == Generation(6) && seen.restarts > 0).await;
    assert!(!is_alive(before[&0]));
    agent.goes_away().await;
}

#[tokio::test]
async fn a_program_that_keeps_failing_is_started_again_and_says_why_it_ended() {
    let host = Host::new();
    let mut agent = host.agent(set(run(1, 1, FAILING))).await;
    let seen = agent.until("restarts", |seen| seen.restarts >= 3 && seen.reason == Reason::BackOff).await;
    assert_eq!(seen.phase, Phase::Degraded);
    assert_eq!(seen.last_error, "the instance ended with exit code 3; its log says: Error: cannot go on");
    agent.want(stop(2));
    agent.until("the end", |seen| seen.phase == Phase::Stopped).await;
    agent.goes_away().await;
}

#[tokio::test]
async fn a_killed_guard_takes_its_program_with_it_and_both_come_back() {
    let host = Host::new();
    let mut agent = host.agent(set(run(1, 1, LASTING))).await;
    agent.until("one instance", all_up(1)).await;
    let (guard, program) = (host.guard(0), host.programs()[&0]);
    kill(guard);
    agent.until("a restart", |seen| seen.restarts == 1).await;
    assert!(!is_alive(program));
    until("another program", || host.programs().get(&0).is_some_and(|pid| *pid != program)).await;
    agent.goes_away().await;
}

#[tokio::test]
async fn a_package_that_is_not_to_be_had_is_reported_and_nothing_is_started() {
    let host = Host::new();
    let mut agent = host.agent(set(run(1, 1, "#!/bin/sh\n# nobody has this\n"))).await;
    let seen = agent.until("the failure", |seen| seen.phase == Phase::Degraded).await;
    assert_eq!(seen.reason, Reason::PackageUnavailable);
    assert_eq!(host.programs(), BTreeMap::new());
    agent.goes_away().await;
}

#[tokio::test]
async fn logs_are_served_from_the_end_and_followed() {
    let host = Host::new();
    let mut agent = host.agent(set(run(1, 1, LASTING))).await;
    agent.until("one instance", all_up(1)).await;
    let options = LogOptions { tail: Some(1), follow: true };
    let log = agent.target.logs(UID, 0, options).await.unwrap();
    let mut log = std::pin::pin!(log);
    let mut text = Vec::new();
    let read = async {
        while !text.ends_with(b"started\n") {
            text.extend(log.next().await.unwrap().unwrap());
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), read).await.is_ok(), "{text:?}");
    let nobody = agent.target.logs(UID, 9, LogOptions { tail: None, follow: false }).await;
    assert!(nobody.err().unwrap().to_string().contains("has no log here"));
    agent.goes_away().await;
}

#[tokio::test]
async fn two_agents_cannot_look_after_one_directory() {
    let host = Host::new();
    let agent = host.agent(DesiredSet::default()).await;
    let config = Config { runner: Some(RUNNER.clone()), ..Config::default() };
    let (key, clock) = (host.key.clone(), Arc::new(SystemClock));
    let refused = LocalTarget::open(&host.data(), config, key, clock, NoPulsar).await.unwrap_err();
    assert!(refused.to_string().contains("in use by another agent"), "{refused}");
    agent.goes_away().await;
}

#[tokio::test]
async fn what_has_one_owner_waits_for_a_lease_and_ends_with_it_without_an_agent() {
    let host = Host::new();
    let mut agent = host.agent(set(run_ordered(1, LASTING))).await;
    agent.until("starting", |seen| seen.phase == Phase::Progressing).await;
    assert_eq!(host.programs(), BTreeMap::new(), "nobody has given a lease yet");

    let end = agent.may_run_for(Duration::from_secs(10));
    until("it to start", || !host.programs().is_empty()).await;
    let guard = host.guard(0);
    agent.goes_away().await;
    until("the guard to end it", || !is_alive(guard) && host.programs().is_empty()).await;
    assert!(SystemClock.boot() >= end, "ended too early");
}

#[tokio::test]
async fn what_has_one_owner_runs_on_while_the_lease_is_renewed_and_comes_back_after_it_was_over() {
    let host = Host::new();
    let mut agent = host.agent(set(run_ordered(1, LASTING))).await;
    let end = agent.may_run_for(Duration::from_secs(8));
    until("it to start", || !host.programs().is_empty()).await;
    let first = host.programs();
    agent.may_run_for(Duration::from_secs(12));
    until("the end of the first lease", || SystemClock.boot() > end + Duration::from_millis(500)).await;
    assert_eq!(host.programs(), first);

    agent.until("ended", |seen| seen.last_error.contains("its lease was over")).await;
    assert_eq!(host.programs(), BTreeMap::new());
    agent.may_run_for(Duration::from_mins(1));
    until("it to come back", || !host.programs().is_empty()).await;
    assert_ne!(host.programs(), first);
}

#[tokio::test]
async fn a_secret_that_travelled_sealed_reaches_the_instance_and_no_file() {
    let host = Host::new();
    let mut agent = host.agent(DesiredSet::default()).await;
    let sealed = run_sealed(1, DISCREET, "correct horse", &host.key);
    agent.want(sealed.clone());
    agent.until("the instance", all_up(1)).await;
    until("what the instance makes of it", || host.log().contains(&hash("correct horse"))).await;
    assert!(host.keeps("restarts"), "the records are looked through");
    assert!(!host.keeps("correct horse"));
    let before = host.programs();
    agent.goes_away().await;

    let mut agent = host.agent(set(sealed)).await;
    agent.until("the instance again", all_up(1)).await;
    assert_eq!(host.programs(), before, "an agent that comes back restarts nothing");

    agent.want(run_sealed(2, DISCREET, "battery staple", &host.key));
    until("the value that was sealed again", || host.log().contains(&hash("battery staple"))).await;
    assert!(!host.keeps("battery staple"));
    agent.want(stop(3));
    agent.until("the end", |seen| seen.phase == Phase::Stopped).await;
    agent.goes_away().await;
}

#[tokio::test]
async fn a_secret_that_does_not_open_is_said_and_starts_nothing() {
    let host = Host::new();
    let mut agent = host.agent(DesiredSet::default()).await;
    agent.want(run_sealed(1, DISCREET, "correct horse", &PrivateKey::generate()));
    let seen = agent.until("the reason", |seen| seen.reason == Reason::SecretUnreadable).await;
    assert!(seen.last_error.contains("not sealed for this cluster's key"), "{}", seen.last_error);

    let Desired::Run(assignment) = run_sealed(2, DISCREET, "correct horse", &host.key) else {
        unreachable!()
    };
    let mut moved = Arc::unwrap_or_clone(assignment);
    moved.name = FullName::new("public", "default", "other").unwrap();
    agent.want(Desired::Run(Arc::new(moved)));
    let is_so = |seen: &Observation| {
        seen.generation == Generation(2) && seen.last_error.contains("another component")
    };
    let seen = agent.until("that it was sealed for another component", is_so).await;
    assert_eq!(seen.reason, Reason::SecretUnreadable);
    assert_eq!(host.programs(), BTreeMap::new());
    agent.goes_away().await;
}

#[tokio::test]
async fn what_an_instance_says_of_its_sealed_secret_does_not_reach_the_status() {
    let host = Host::new();
    let mut agent = host.agent(DesiredSet::default()).await;
    agent.want(run_sealed(1, INDISCREET, "correct horse", &host.key));
    let seen = agent.until("its end", |seen| !seen.last_error.is_empty()).await;
    assert!(seen.last_error.contains("exit code 3"), "{}", seen.last_error);
    assert!(!seen.last_error.contains("correct horse"), "{}", seen.last_error);
    agent.goes_away().await;
}

fn hash(text: &str) -> String {
    Scripts::digest(text).to_string()
}
