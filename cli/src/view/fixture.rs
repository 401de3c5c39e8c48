//! Fixed messages from the wire, as a gateway sends them.

use isthmus_model::order::UnixMillis;
use isthmus_proto::access::v1::{ApiToken, Binding, Role};
use isthmus_proto::cluster::v1::{Capacity, Cluster, Health, Link, PulsarCluster, SealingKey, Taint};
use isthmus_proto::common::v1::{Condition, Metadata};
use isthmus_proto::component::v1::spec::Runtime;
use isthmus_proto::component::v1::{
    Chosen, ClusterStatus, Component, ConsumerConfig, Explanation, Input, JavaRuntime, Kind, MessageCounts,
    Mode, Output, Package, Placement, Refused, ScoreTerm, Spec, Status, TaintEffect,
};
use isthmus_proto::convert::time::timestamp;
use prost_types::Timestamp;

/// The moment at which everything is looked at.
pub(crate) const NOW: UnixMillis = UnixMillis(1_763_000_000_000);

fn ago(seconds: u64) -> Timestamp {
    timestamp(UnixMillis(NOW.0 - seconds * 1000))
}

fn share(cluster: &str, ready: u32, phase: &str) -> ClusterStatus {
    ClusterStatus {
        cluster: cluster.into(),
        pulsar_cluster: format!("pulsar-{cluster}"),
        generation: 41,
        observed_generation: 41,
        desired: 2,
        ready,
        restarts: 0,
        reason: if phase == "Ready" { "Ready" } else { "BackOff" }.into(),
        last_error: String::new(),
        messages: Some(MessageCounts {
            received: 60,
            processed: 58,
            user_exceptions: 2,
            system_exceptions: 0,
        }),
        observed_at_unix_ms: NOW.0 - 2_000,
        stale: false,
        phase: phase.into(),
    }
}

/// A function in two clusters, ready in one of them.
pub(crate) fn greet() -> Component {
    let failing = ClusterStatus {
        restarts: 3,
        last_error: "Traceback (most recent call last):\n  File \"greet.py\", line 3\nKeyError: 'name'"
            .into(),
        stale: true,
        ..share("west", 1, "Degraded")
    };
    let condition = |kind: &str, status: &str, reason: &str, message: &str| Condition {
        r#type: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.into(),
        observed_revision: 3,
        last_transition_time: Some(ago(90)),
    };
    let code = Package {
        file: "greet.jar".into(),
        location: format!("sha256:{}", "ab".repeat(32)),
        digest: vec![0xab; 32],
    };
    Component {
        kind: Kind::Function.into(),
        sealed_secrets: None,
        metadata: Some(Metadata {
            tenant: "public".into(),
            namespace: "default".into(),
            name: "greet".into(),
            labels: [("app".to_owned(), "shop".to_owned())].into(),
            uid: "0190c1de-0000-7000-8000-000000000001".into(),
            revision: 3,
            log_index: 41,
            create_time: Some(ago(3 * 86_400 + 7_200)),
            update_time: Some(ago(90)),
            ..Metadata::default()
        }),
        placement: Some(Placement { mode: Mode::Replicated.into(), ..Placement::default() }),
        spec: Some(Box::new(Spec {
            class_name: "org.example.Greet".into(),
            runtime: Some(Runtime::Java(JavaRuntime { package: Some(code), ..JavaRuntime::default() })),
            replicas: Some(2),
            input: Some(Input {
                topics: [("persistent://public/default/names".to_owned(), ConsumerConfig::default())].into(),
                ..Input::default()
            }),
            output: Some(Output {
                topic: "persistent://public/default/greetings".into(),
                ..Output::default()
            }),
            user_config_json: "{\"greeting\":\"hello\"}".into(),
            ..Spec::default()
        })),
        status: Some(Status {
            conditions: vec![
                condition("Placed", "True", "Placed", "on east and west"),
                condition("Ready", "False", "BackOff", "3 of 4 instances are ready"),
            ],
            desired: 4,
            ready: 3,
            restarts: 3,
            messages: Some(MessageCounts {
                received: 120,
                processed: 116,
                user_exceptions: 4,
                system_exceptions: 0,
            }),
            clusters: vec![share("east", 2, "Ready"), failing],
            phase: "Degraded".into(),
        }),
    }
}

/// A function that no cluster can take.
pub(crate) fn parked() -> Component {
    let metadata = Metadata {
        tenant: "acme".into(),
        namespace: "orders".into(),
        name: "a-function-with-a-rather-long-name".into(),
        uid: "0190c1de-0000-7000-8000-000000000002".into(),
        revision: 1,
        create_time: Some(ago(42)),
        ..Metadata::default()
    };
    Component {
        kind: Kind::Function.into(),
        metadata: Some(metadata),
        spec: Some(Box::new(Spec { replicas: Some(1), ..Spec::default() })),
        status: Some(Status { phase: "Parked".into(), desired: 1, ..Status::default() }),
        ..Component::default()
    }
}

/// A sink.
pub(crate) fn store() -> Component {
    let mut component = greet();
    component.kind = Kind::Sink.into();
    if let Some(metadata) = component.metadata.as_mut() {
        metadata.name = "store".into();
    }
    component.status = Some(Status {
        phase: "Ready".into(),
        desired: 2,
        ready: 2,
        clusters: vec![share("east", 2, "Ready")],
        ..Status::default()
    });
    component
}

/// One cluster chosen, two not.
pub(crate) fn explanation() -> Explanation {
    let refused = |cluster: &str, reason: &str, message: &str| Refused {
        cluster: cluster.into(),
        reason: reason.into(),
        message: message.into(),
    };
    Explanation {
        log_index: 41,
        chosen: vec![Chosen {
            cluster: "east".into(),
            replicas: 2,
            pulsar_cluster: "pulsar-east".into(),
            score: vec![
                ScoreTerm { name: "stays".into(), value: 1 },
                ScoreTerm { name: "freePermille".into(), value: 730 },
            ],
            kept: true,
            message: "already runs it, 73% free, 2 instances there".into(),
        }],
        refused: vec![
            refused("north", "UntoleratedTaint", "its taint gpu=yes:NoPlace is not tolerated"),
            refused(
                "west",
                "Placed",
                "it could run there, too, but ranks lower (40% free, 9 instances there)",
            ),
        ],
        remedies: Vec::new(),
        summary: "placed on east; 1 other cluster could run it as well; 1 other cluster cannot".into(),
    }
}

/// Nothing chosen.
pub(crate) fn nowhere() -> Explanation {
    Explanation {
        chosen: Vec::new(),
        remedies: vec!["add a toleration for gpu=yes:NoPlace, or remove the taint from cluster north".into()],
        ..explanation()
    }
}

/// A healthy cluster and one with everything that an operator must see.
pub(crate) fn clusters() -> Vec<Cluster> {
    let unlimited = Capacity { cpu_millis: u64::MAX, memory_bytes: u64::MAX, instances: u64::MAX };
    let east = Cluster {
        name: "east".into(),
        labels: [("region".to_owned(), "eu".to_owned()), ("zone".to_owned(), "a".to_owned())].into(),
        links: vec![Link { pulsar_cluster: "pulsar-east".into(), ..Link::default() }],
        default_pulsar_cluster: "pulsar-east".into(),
        agent_version: "0.1.0".into(),
        capabilities: vec!["java".into(), "python".into()],
        capacity: Some(Capacity { cpu_millis: 4_000, memory_bytes: 8 << 30, instances: 100 }),
        reserved: Some(Capacity { cpu_millis: 1_500, memory_bytes: 3 << 29, instances: 7 }),
        health: Health::Healthy.into(),
        join_time: Some(ago(86_400 * 12)),
        last_seen_time: Some(ago(1)),
        assignments: 5,
        set_generation: 19,
        acknowledged_set_generation: Some(19),
        health_time: Some(ago(86_400)),
        log_index: 30,
        sealing_key: Some(SealingKey { id: vec![0x5e; 16], public_key: vec![0xa1; 32] }),
        ..Cluster::default()
    };
    let link = |name: &str| Link {
        pulsar_cluster: name.into(),
        service_url: "pulsar://here:6650".into(),
        ..Link::default()
    };
    let west = Cluster {
        name: "west".into(),
        labels: [].into(),
        taints: vec![Taint { key: "gpu".into(), value: "yes".into(), effect: TaintEffect::NoPlace.into() }],
        cordoned: true,
        links: vec![link("pulsar-west"), link("pulsar-east")],
        default_pulsar_cluster: "pulsar-west".into(),
        capacity: Some(unlimited),
        health: Health::Disconnected.into(),
        last_seen_time: None,
        acknowledged_set_generation: None,
        health_time: Some(ago(300)),
        held_removals: 4,
        held_digest: vec![1; 32],
        ..east.clone()
    };
    vec![east, west]
}

/// Two Pulsar clusters that replicate.
pub(crate) fn pulsar_clusters() -> Vec<PulsarCluster> {
    let one = |name: &str, peer: &str| PulsarCluster {
        name: name.into(),
        service_url: format!("pulsar+ssl://{name}:6651"),
        admin_url: format!("https://{name}:8443"),
        peers: vec![peer.into()],
        ..PulsarCluster::default()
    };
    let named = PulsarCluster {
        pulsar_name: "standalone".into(),
        state_service_url: "bk://east:4181".into(),
        ..one("pulsar-east", "pulsar-west")
    };
    vec![named, one("pulsar-west", "pulsar-east")]
}

pub(crate) fn packages() -> Vec<isthmus_proto::package::v1::Package> {
    let one = |byte: &str, file: &str, size_bytes: u64| isthmus_proto::package::v1::Package {
        location: format!("sha256:{}", byte.repeat(32)),
        file: file.into(),
        size_bytes,
        create_time: Some(ago(700)),
        uploader: "admin".into(),
    };
    vec![one("ab", "greet.jar", 6_400_123), one("cd", "hello.py", 512)]
}

pub(crate) fn tokens() -> Vec<ApiToken> {
    let one = |id: &str, expire_time| ApiToken {
        id: id.into(),
        principal: "ci".into(),
        create_time: Some(ago(30)),
        expire_time,
    };
    let future = Some(timestamp(UnixMillis(NOW.0 + 7_200_000)));
    vec![one("t1", None), one("t2", future), one("t3", Some(ago(1)))]
}

pub(crate) fn bindings() -> Vec<Binding> {
    let one = |principal: &str, role: Role, scope: &str, deny| Binding {
        principal: principal.into(),
        role: role.into(),
        scope: scope.into(),
        deny,
    };
    vec![one("ann", Role::Admin, "*", false), one("ci", Role::Developer, "acme/orders", true)]
}
