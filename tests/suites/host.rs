//! The local target against a real Pulsar: functions, a source and a sink as processes of this host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use isthmus_agent::host::attached::AdminApi;
use isthmus_agent::host::config::{self, Config, Ports};
use isthmus_agent::host::{Error, LocalTarget};
use isthmus_agent::lease::lease;
use isthmus_agent::target::{
    Desired, DesiredSet, DesiredWriter, Observe, Package, Packages, Target, desired,
};
use isthmus_daemon::clock::SystemClock;
use isthmus_model::assignment::Assignment;
use isthmus_model::component::{Component, ComponentKind, Spec};
use isthmus_model::name::{Digest, FullName, PulsarClusterName, Uid};
use isthmus_model::observation::{Observation, Phase};
use isthmus_model::order::{Generation, Revision};
use isthmus_model::policy::Placement;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_proto::convert::component::encode;
use isthmus_pulsar::admin::{self, Admin};
use isthmus_sealing::PrivateKey;
use isthmus_testbed::traffic::{Load, Schema};
use isthmus_testbed::{Cache, Pulsar, PulsarOptions, Traffic};
use isthmus_tests::PATIENCE;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The digest under which the connector is asked for.
const NAR: Digest = Digest([1; 32]);

#[derive(Clone)]
struct Nar(PathBuf);

impl Packages for Nar {
    type Error = std::io::Error;

    async fn package(&self, digest: Digest) -> Result<Package, std::io::Error> {
        assert_eq!(digest, NAR);
        Ok(Package::pinned(self.0.clone(), Arc::default()))
    }
}

type Seen = BTreeMap<Uid, Observation>;

#[derive(Clone)]
struct Newest(Arc<watch::Sender<Seen>>);

impl Observe for Newest {
    fn observe(&self, observation: Observation) {
        self.0.send_modify(|seen| drop(seen.insert(observation.uid, observation)));
    }
}

/// What an agent is to its target.
struct Agent {
    data: PathBuf,
    writer: DesiredWriter,
    seen: watch::Receiver<Seen>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

/// One host, on which agents come and go.
struct Host {
    directory: tempfile::TempDir,
    config: Config,
    nar: PathBuf,
}

impl Host {
    async fn new(cache: &Cache, pulsar: &Pulsar, ports: Ports) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let config = Config {
            pulsar: config::Pulsar {
                home: Some(pulsar.home().dir().to_path_buf()),
                java: None,
                python: Some(cache.python().await?.python()),
            },
            runner: Some(runner()?),
            ports,
            ..Config::default()
        };
        Ok(Self { directory, config, nar: cache.data_generator().await? })
    }

    async fn agent(&self, loaded: DesiredSet) -> Result<Agent> {
        let admin = AdminApi::new(self.config.poll.timeout);
        let (config, key) = (self.config.clone(), PrivateKey::generate());
        let target =
            LocalTarget::open(self.directory.path(), config, key, Arc::new(SystemClock), admin).await?;
        let target = Arc::new(target);
        let declared = target.declare().await;
        assert_eq!(declared.capabilities, ["java", "python", "go"]);
        let (writer, handle) = desired(loaded);
        let (sender, seen) = watch::channel(Seen::new());
        let stop = CancellationToken::new();
        let (_lessor, lease) = lease();
        let run = target.run(handle, Newest(Arc::new(sender)), Nar(self.nar.clone()), lease, stop.clone());
        let data = self.directory.path().to_path_buf();
        #[expect(clippy::disallowed_methods, reason = "a test is its own composition")]
        let running = tokio::spawn(run);
        Ok(Agent { data, writer, seen, stop, running })
    }

    /// Pid and start time of every program that was started here.
    fn programs(&self) -> Result<BTreeMap<PathBuf, Value>> {
        let mut programs = BTreeMap::new();
        for component in std::fs::read_dir(self.directory.path().join("instances"))? {
            for instance in std::fs::read_dir(component?.path())? {
                let path = instance?.path();
                let state: Value = serde_json::from_slice(&std::fs::read(path.join("state.json"))?)?;
                programs.insert(path, state.get("child").cloned().context("who runs")?);
            }
        }
        Ok(programs)
    }
}

impl Drop for Host {
    /// A test that fails leaves nothing running: whatever belongs to an instance has its directory in its environment.
    fn drop(&mut self) {
        let data = self.directory.path().as_os_str().as_encoded_bytes();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            if environment.windows(data.len()).any(|window| window == data) {
                let kill = std::process::Command::new("kill").arg("-9").arg(process.file_name()).status();
                drop(kill);
            }
        }
    }
}

impl Agent {
    fn want(&self, wanted: &[Desired]) {
        self.writer.update(|set| {
            set.settled = true;
            set.entries.extend(wanted.iter().map(|desired| (desired.uid(), desired.clone())));
        });
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Result<Seen> {
        let reached = tokio::time::timeout(PATIENCE, self.seen.wait_for(|seen| is_so(seen))).await.is_ok();
        let seen = self.seen.borrow().clone();
        anyhow::ensure!(reached, "not seen: {what}; last seen: {seen:#?}\n{}", ends_of_logs(&self.data));
        Ok(seen)
    }

    async fn goes_away(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.running.await??)
    }
}

/// The last lines of every instance's log, for who reads why a test failed.
fn ends_of_logs(data: &Path) -> String {
    let folders =
        |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut text = String::new();
    for directory in folders(data.join("instances")).flat_map(folders) {
        let log = std::fs::read_to_string(directory.join("instance.log")).unwrap_or_default();
        let last: Vec<_> = log.lines().rev().take(15).collect();
        let title = format!("{}:", directory.display());
        let lines = last.into_iter().rev();
        text.extend(
            [title].into_iter().chain(lines.map(|line| format!("    {line}"))).map(|line| line + "\n"),
        );
    }
    text
}

/// The guard's program, built from this checkout.
fn runner() -> Result<PathBuf> {
    let build = std::process::Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "isthmus-runner"])
        .status()?;
    anyhow::ensure!(build.success(), "isthmus-runner does not build");
    // target/debug/deps/THIS: the programs are one directory up.
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).context("a target directory")?.join("isthmus-runner"))
}

fn run(
    pulsar: &Pulsar,
    uid: u128,
    kind: ComponentKind,
    name: &str,
    replicas: u32,
    spec: Value,
) -> Result<Desired> {
    let name = FullName::new("public", "default", name)?;
    let component = Component {
        kind,
        name: name.clone(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        placement: Placement::default(),
        spec: Box::new(Spec { auto_ack: true, ..serde_json::from_value(spec)? }),
    };
    Ok(Desired::Run(Arc::new(Assignment {
        uid: Uid(uuid::Uuid::from_u128(uid)),
        name,
        kind,
        generation: Generation(1),
        revision: Revision(1),
        replicas,
        pulsar: Arc::new(PulsarCluster {
            name: PulsarClusterName::new(pulsar.cluster())?,
            service_url: pulsar.service_url(),
            admin_url: pulsar.admin_url(),
            pulsar_name: String::new(),
            state_service_url: String::new(),
            peers: Vec::new(),
        }),
        spec: Arc::from(&*encode(&component)),
        sealed: None,
    })))
}

fn stop(desired: &Desired) -> Desired {
    let removal = isthmus_model::assignment::Removal { uid: desired.uid(), generation: Generation(9) };
    Desired::Stop(removal)
}

fn topic(name: &str) -> String {
    format!("persistent://public/default/{name}")
}

fn java(pulsar: &Pulsar, uid: u128, name: &str, replicas: u32) -> Result<Desired> {
    run(
        pulsar,
        uid,
        ComponentKind::Function,
        name,
        replicas,
        json!({
            "className": "org.apache.pulsar.functions.api.examples.ExclamationFunction",
            "runtime": {"type": "java", "package": {"file": "/pulsar/examples/api-examples.jar"}},
            "input": {"topics": {topic(&format!("{name}-in")): {}}, "typeClassName": "java.lang.String",
                      "subscriptionPosition": "Earliest"},
            "output": {"topic": topic(&format!("{name}-out")), "typeClassName": "java.lang.String"},
            "resources": {"limits": {"memoryBytes": 268_435_456}},
        }),
    )
}

fn python(pulsar: &Pulsar, uid: u128, name: &str, replicas: u32) -> Result<Desired> {
    run(
        pulsar,
        uid,
        ComponentKind::Function,
        name,
        replicas,
        json!({
            "className": "native_exclamation_function",
            "runtime": {"type": "python", "package": {"file": "/pulsar/examples/python-examples/native_exclamation_function.py"}},
            "input": {"topics": {topic(&format!("{name}-in")): {}}, "subscriptionPosition": "Earliest"},
            "output": {"topic": topic(&format!("{name}-out"))},
        }),
    )
}

fn all_ready(count: usize) -> impl Fn(&Seen) -> bool {
    move |seen| seen.len() == count && seen.values().all(|seen| seen.phase == Phase::Ready)
}

async fn exchange(
    pulsar: &Pulsar,
    traffic: &Traffic,
    name: &str,
    schema: Schema,
    prefix: &str,
) -> Result<()> {
    let url = pulsar.service_url();
    let mut witness = traffic.consume(&url, &topic(&format!("{name}-out")), "witness").await?;
    let load =
        Load { topic: topic(&format!("{name}-in")), schema, prefix: prefix.into(), count: 100, seed: 1 };
    let sent = traffic.produce(&url, &load, PATIENCE).await?;
    let received = witness.collect(&sent, PATIENCE).await?;
    assert_eq!(received.missing(&sent), Vec::<&str>::new(), "lost on the way through {name}");
    let all_exclaimed = received.by_id().values().flatten().all(|text| text.ends_with('!'));
    assert!(all_exclaimed, "{received:?}");
    Ok(())
}

/// One test, because a server takes ten seconds to start.
#[tokio::test(flavor = "multi_thread")]
async fn functions_run_are_counted_and_outlive_their_agent() -> Result<()> {
    let cache = Cache::from_env()?;
    let pulsar = Pulsar::start(&cache, PulsarOptions::named("east")).await?;
    let traffic = Traffic::provide(&cache).await?;
    let host = Host::new(&cache, &pulsar, Ports { first: 21_000, last: 21_999 }).await?;
    let wanted = [java(&pulsar, 1, "java", 1)?, python(&pulsar, 2, "python", 2)?];
    for name in ["java-out", "python-out"] {
        pulsar.create_subscription(&topic(name), "witness").await?;
    }

    let mut agent = host.agent(DesiredSet::default()).await?;
    agent.want(&wanted);
    let seen = agent.until("both functions ready", all_ready(2)).await?;
    assert!(seen.values().all(|seen| seen.restarts == 0 && seen.last_error.is_empty()), "{seen:#?}");
    let before = host.programs()?;
    assert_eq!(before.len(), 3);
    exchange(&pulsar, &traffic, "java", Schema::String, "one").await?;
    exchange(&pulsar, &traffic, "python", Schema::Bytes, "one").await?;
    agent
        .until("the messages counted", |seen| {
            seen.values().all(|seen| seen.messages.received == 100 && seen.messages.processed == 100)
        })
        .await?;

    // Nobody looks after them, and they work on.
    agent.goes_away().await?;
    exchange(&pulsar, &traffic, "java", Schema::String, "two").await?;
    let entries = wanted.iter().map(|desired| (desired.uid(), desired.clone())).collect();
    let mut agent = host.agent(DesiredSet { entries, settled: true }).await?;
    agent.until("both functions ready again", all_ready(2)).await?;
    assert_eq!(host.programs()?, before, "no process was restarted");

    // Another host consumes the same subscription: each counts its own instance as ready, not the other's.
    let other = Host::new(&cache, &pulsar, Ports { first: 22_000, last: 22_999 }).await?;
    let mut far = other.agent(DesiredSet::default()).await?;
    far.want(&wanted[1..]);
    far.until("the other host's copy ready", all_ready(1)).await?;
    agent.want(&[stop(&wanted[1])]);
    agent.until("the copy here stopped", |seen| seen[&wanted[1].uid()].phase == Phase::Stopped).await?;
    far.until("the other host's copy still ready", all_ready(1)).await?;

    far.want(&[stop(&wanted[1])]);
    agent.want(&[stop(&wanted[0])]);
    let all_stopped = |seen: &Seen| seen.values().all(|seen| seen.phase == Phase::Stopped);
    far.until("the other host empty", all_stopped).await?;
    agent.until("this host empty", all_stopped).await?;
    far.goes_away().await?;
    agent.goes_away().await?;
    pulsar.stop().await?;
    Ok(())
}

/// People from the connector's NAR: a source that makes them, a sink that prints them. `access` is how both reach Pulsar.
fn people(pulsar: &Pulsar, access: &Value) -> Result<[Desired; 2]> {
    let package = json!({"file": "data-generator.nar", "digest": NAR, "location": format!("sha256:{NAR}")});
    // Neither class nor type is given: both are in the NAR.
    let source = json!({
        "runtime": {"type": "java", "package": package},
        "sourceConnector": {"config": {"sleepBetweenMessages": 20}},
        "output": {"topic": topic("people")},
        "resources": {"limits": {"memoryBytes": 268_435_456}},
        "pulsar": access,
    });
    let sink = json!({
        "runtime": {"type": "java", "package": package},
        "sinkConnector": {},
        "input": {"topics": {topic("people"): {}}, "subscriptionPosition": "Earliest"},
        "resources": {"limits": {"memoryBytes": 268_435_456}},
        "pulsar": access,
    });
    Ok([
        run(pulsar, 1, ComponentKind::Source, "people", 1, source)?,
        run(pulsar, 2, ComponentKind::Sink, "printer", 1, sink)?,
    ])
}

/// Runs all of these, sees messages in all of them, and stops them.
async fn move_messages(pulsar: Pulsar, host: Host, wanted: &[Desired]) -> Result<()> {
    let mut agent = host.agent(DesiredSet::default()).await?;
    for count in 1..=wanted.len() {
        agent.want(&wanted[..count]);
        agent.until("one more ready", all_ready(count)).await?;
    }
    agent
        .until("messages through all", |seen| seen.values().all(|seen| seen.messages.received >= 10))
        .await?;
    agent.want(&wanted.iter().map(stop).collect::<Vec<_>>());
    agent.until("all stopped", |seen| seen.values().all(|seen| seen.phase == Phase::Stopped)).await?;
    agent.goes_away().await?;
    pulsar.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_and_a_sink_move_messages_from_their_nar() -> Result<()> {
    let cache = Cache::from_env()?;
    let pulsar = Pulsar::start(&cache, PulsarOptions::named("west")).await?;
    let host = Host::new(&cache, &pulsar, Ports { first: 23_000, last: 23_999 }).await?;
    let wanted = people(&pulsar, &json!({}))?;
    move_messages(pulsar, host, &wanted).await
}

/// Instances and agent reach a Pulsar that has TLS and takes nobody without a token, with what the host's secrets say.
#[tokio::test(flavor = "multi_thread")]
async fn all_runtimes_work_with_a_pulsar_that_wants_tls_and_tokens() -> Result<()> {
    let cache = Cache::from_env()?;
    let pulsar = Pulsar::start(&cache, PulsarOptions::named("safe").secured()).await?;
    let mut host = Host::new(&cache, &pulsar, Ports { first: 24_000, last: 24_999 }).await?;
    let security = pulsar.security().context("a secured server")?;
    let secrets = host.directory.path().join("secrets");
    for (name, key, value) in [
        (
            "token",
            "clientAuthenticationPlugin",
            "org.apache.pulsar.client.impl.auth.AuthenticationToken".into(),
        ),
        ("token", "clientAuthenticationParameters", format!("token:{}", security.token())),
        ("ca", "ca.pem", std::fs::read_to_string(security.roots())?),
    ] {
        std::fs::create_dir_all(secrets.join(name))?;
        std::fs::write(secrets.join(name).join(key), value)?;
    }
    host.config.secrets = Some(secrets);
    let tls =
        json!({"enabled": true, "hostnameVerification": true, "certSecret": {"name": "ca", "key": "ca.pem"}});
    let access = json!({"authSecret": "token", "tls": tls});
    let [source, sink] = people(&pulsar, &access)?;
    let python = json!({
        "className": "native_exclamation_function",
        "runtime": {"type": "python", "package": {"file": "/pulsar/examples/python-examples/native_exclamation_function.py"}},
        "input": {"topics": {topic("people"): {}}, "subscriptionPosition": "Earliest"},
        "output": {"topic": topic("exclaimed")},
        "pulsar": access,
    });
    let python = run(&pulsar, 3, ComponentKind::Function, "exclaim", 1, python)?;
    move_messages(pulsar, host, &[source, sink, python]).await
}

/// The consumer of a pattern is seen on the topics that the pattern takes in.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_a_pattern_is_ready_when_its_consumer_is_seen_on_a_topic_of_it() -> Result<()> {
    let cache = Cache::from_env()?;
    let pulsar = Pulsar::start(&cache, PulsarOptions::named("patterns")).await?;
    let host = Host::new(&cache, &pulsar, Ports { first: 25_000, last: 25_999 }).await?;
    for name in ["orders-1", "orders-2", "bills-1"] {
        pulsar.create_subscription(&topic(name), "witness").await?;
    }
    let python = json!({
        "className": "native_exclamation_function",
        "runtime": {"type": "python", "package": {"file": "/pulsar/examples/python-examples/native_exclamation_function.py"}},
        "input": {"topics": {topic("orders-.*"): {"isRegexPattern": true}}, "subscriptionPosition": "Earliest"},
        "output": {"topic": topic("exclaimed")},
    });
    let wanted = run(&pulsar, 1, ComponentKind::Function, "exclaim", 1, python)?;
    let mut agent = host.agent(DesiredSet::default()).await?;
    agent.want(std::slice::from_ref(&wanted));
    agent.until("its consumer seen", all_ready(1)).await?;

    // Pulsar says so, too.
    let admin = Admin::new(&admin::Config::new(pulsar.admin_url()))?;
    let stats = admin.stats(&topic("orders-1").parse()?).await?;
    let subscription = &stats.subscriptions["public/default/exclaim"];
    anyhow::ensure!(!subscription.consumers.is_empty(), "nobody consumes it");
    agent.want(&[stop(&wanted)]);
    agent.until("stopped", |seen| seen.values().all(|seen| seen.phase == Phase::Stopped)).await?;
    agent.goes_away().await?;
    pulsar.stop().await?;
    Ok(())
}
