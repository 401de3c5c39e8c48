//! Whole command lines as Pulsar's own process runtime makes them, one argument a line.

use isthmus_model::component::{
    ComponentKind, Connector, ConsumerConfig, Input as Topics, LogConfig, Output, PulsarAuth, PulsarTls,
    Redacted, SecretRef, Spec, State,
};
use isthmus_model::name::{FullName, PulsarClusterName, Uid};
use isthmus_model::order::Generation;
use isthmus_model::package::PackageRef;
use isthmus_model::policy::Placement;
use isthmus_model::pulsar_cluster::PulsarCluster;
use isthmus_sealing::Values;
use serde_json::json;

use super::*;
use crate::host::distribution::Interpreter;
use crate::host::secrets::Auth;

/// One instance, to be changed by a test before its command is built.
struct Case {
    spec: Spec,
    kind: ComponentKind,
    pulsar: PulsarCluster,
    secrets: Secrets,
    index: u32,
    revision: u64,
    ports: Pair,
}

fn case(runtime: Runtime) -> Case {
    let topics = |topic: &str| BTreeMap::from([(topic.to_owned(), ConsumerConfig::default())]);
    let spec = Spec {
        class_name: "example.Greet".into(),
        runtime: Some(runtime),
        replicas: 2,
        auto_ack: true,
        input: Some(Topics {
            topics: topics("persistent://public/default/in"),
            type_class_name: "java.lang.String".into(),
            cleanup_subscription: true,
            ..Topics::default()
        }),
        output: Some(Output {
            topic: "persistent://public/default/out".into(),
            type_class_name: "java.lang.String".into(),
            ..Output::default()
        }),
        ..Spec::default()
    };
    Case {
        spec,
        kind: ComponentKind::Function,
        pulsar: PulsarCluster {
            name: PulsarClusterName::new("east").unwrap(),
            service_url: "pulsar://127.0.0.1:6650".into(),
            admin_url: "http://127.0.0.1:8080".into(),
            pulsar_name: "standalone".into(),
            state_service_url: String::new(),
            peers: Vec::new(),
        },
        secrets: Secrets::default(),
        index: 1,
        revision: 4,
        ports: Pair { control: 21_001, metrics: 21_002 },
    }
}

fn package(file: &str) -> PackageRef {
    PackageRef { file: file.into(), location: String::new(), digest: Some(Digest([5; 32])) }
}

fn java() -> Case {
    case(Runtime::Java {
        package: package("greet.jar"),
        extra_dependencies_dir: String::new(),
        java_opts: Vec::new(),
        instance_path: String::new(),
        entry_class: String::new(),
        log: None,
    })
}

impl Case {
    fn with<T>(&self, use_it: impl FnOnce(&Input<'_>) -> T) -> T {
        let component = Component {
            kind: self.kind,
            name: FullName::new("public", "default", "greet").unwrap(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            placement: Placement::default(),
            spec: Box::new(self.spec.clone()),
        };
        let assignment = Assignment {
            uid: Uid(uuid::Uuid::from_u128(7)),
            name: component.name.clone(),
            kind: self.kind,
            generation: Generation(9),
            revision: Revision(self.revision),
            replicas: 2,
            pulsar: std::sync::Arc::new(self.pulsar.clone()),
            spec: std::sync::Arc::from([]),
            sealed: None,
        };
        let interpreter =
            |program: &str| Ok(Interpreter { program: program.into(), home: "/opt/pulsar".into() });
        let distribution = Distribution {
            java: interpreter("/usr/bin/java"),
            python: interpreter("/venv/bin/python"),
            runner: Ok("/usr/bin/isthmus-runner".into()),
        };
        let file = self.spec.runtime.as_ref().map_or("connector.nar", |runtime| &runtime.package().file);
        let home = Path::new("/data/instances/7/1");
        use_it(&Input {
            assignment: &assignment,
            component: &component,
            details: &isthmus_dialects::function_details(&component, 1),
            index: self.index,
            ports: self.ports,
            distribution: &distribution,
            secrets: &self.secrets,
            package: &home.join("package").join(file),
            transform: None,
            files: &home.join("files"),
            logs: &home.join("logs"),
            nars: Path::new("/data/nars"),
        })
    }

    fn identity(&self) -> Digest {
        self.with(identity).unwrap()
    }

    fn shown(&self) -> String {
        let Command { program, args, env, files } = self.with(build).unwrap();
        let env = env.iter().map(|(name, value)| format!("{name}={value}"));
        let files = files.keys().map(|name| format!("[{name}]"));
        let lines = env.chain([program.display().to_string()]).chain(args).chain(files);
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn a_java_function() {
    insta::assert_snapshot!(java().shown());
}

#[test]
fn a_java_function_with_everything() {
    let mut case = java();
    case.spec.runtime = Some(Runtime::Java {
        package: package("greet.jar"),
        extra_dependencies_dir: "/pulsar/more".into(),
        java_opts: vec!["-XX:+UseZGC".into()],
        instance_path: "/pulsar/instances/other.jar".into(),
        entry_class: "example.Main".into(),
        log: Some(LogConfig { level: "debug".into(), ..LogConfig::default() }),
    });
    case.spec.runtime_flags = "-Xms32m -Dfoo=bar".into();
    case.spec.resources.limits.memory_bytes = Some(268_435_456);
    case.spec.max_pending_async_requests = Some(5);
    case.spec.expose_pulsar_admin_client = true;
    case.spec.secrets = BTreeMap::from([("PASSWORD".to_owned(), SecretRef::default())]);
    case.spec.state = Some(State { service_url: "bk://127.0.0.1:4181".into(), ..State::default() });
    case.spec.pulsar.tls = Some(PulsarTls {
        enabled: true,
        allow_insecure: false,
        hostname_verification: true,
        cert_secret: None,
    });
    case.secrets = Secrets {
        sealed: Values::default(),
        environment: BTreeMap::from([("PASSWORD".to_owned(), "hunter2".to_owned())]),
        auth: Some(Auth {
            plugin: "org.apache.pulsar.client.impl.auth.AuthenticationToken".into(),
            parameters: Redacted("token:abc".into()),
        }),
        trusted_certificates: Some("/secrets/tls/ca.crt".into()),
    };
    insta::assert_snapshot!(case.shown());
    // The list of processes shows neither secret.
    let command = case.with(build).unwrap();
    assert!(command.args.iter().all(|arg| !arg.contains("hunter2") && !arg.contains("abc")));
    assert_eq!(command.files["pulsar-token"], "abc");
}

#[test]
fn a_source_from_its_nar() {
    let mut case = java();
    case.kind = ComponentKind::Source;
    case.spec.class_name = "org.apache.pulsar.io.datagenerator.DataGeneratorSource".into();
    case.spec.runtime = None;
    case.spec.input = None;
    case.spec.source_connector = Some(Connector {
        builtin: "data-generator".into(),
        type_class_name: "org.apache.pulsar.io.datagenerator.Person".into(),
        config: json!({"sleepBetweenMessages": 1000}).as_object().unwrap().clone(),
        ..Connector::default()
    });
    insta::assert_snapshot!(case.shown());
}

#[test]
fn a_python_function() {
    insta::assert_snapshot!(case(Runtime::Python { package: package("greet.py"), log: None }).shown());
}

#[test]
fn a_go_function() {
    let mut case = case(Runtime::Go { package: package("greet"), log: None });
    case.pulsar.state_service_url = "bk://127.0.0.1:4181".into();
    insta::assert_snapshot!(case.shown());
}

#[test]
fn logging_follows_the_level_that_the_component_asks_for() {
    let at = |level: &str| LogConfig { level: level.into(), ..LogConfig::default() };
    assert!(logging::log4j(Some(&at("debug"))).contains("<Root level=\"debug\">"));
    assert!(logging::log4j(Some(&at("\"/><evil"))).contains("<Root level=\"info\">"));
    assert!(logging::python(Some(&at("warn"))).contains("level=WARNING"));
    assert!(logging::python(None).contains("level=INFO"));
}

#[test]
fn a_component_that_does_not_run_on_a_host_is_refused_in_words() {
    let case = case(Runtime::Generic { package: package("f.wasm"), language: "wasm".into() });
    let refused = case.with(build).unwrap_err();
    assert_eq!(refused.reason, Reason::MissingCapability);
    assert!(refused.message.contains("wasm"), "{refused}");
}

#[test]
fn what_changes_from_start_to_start_does_not_change_the_identity() {
    let same = java().identity();
    let mut case = java();
    (case.index, case.revision, case.ports) = (0, 8, Pair { control: 1, metrics: 2 });
    assert_eq!(case.identity(), same);
    case.secrets.environment = BTreeMap::from([("A".to_owned(), "one".to_owned())]);
    let with_secret = case.identity();
    case.secrets.environment = BTreeMap::from([("A".to_owned(), "rotated".to_owned())]);
    assert_eq!(case.identity(), with_secret);
}

#[test]
fn whatever_the_process_would_notice_changes_the_identity() {
    let changes: [fn(&mut Case); 6] = [
        |case| case.spec.class_name = "example.Other".into(),
        |case| case.spec.runtime.as_mut().unwrap().package_mut().digest = Some(Digest([6; 32])),
        |case| case.spec.runtime_flags = "-Dx=y".into(),
        |case| case.pulsar.service_url = "pulsar://elsewhere:6650".into(),
        |case| case.spec.log_topic = "persistent://public/default/log".into(),
        |case| case.spec.resources.limits.memory_bytes = Some(1),
    ];
    let mut seen = std::collections::BTreeSet::from([java().identity()]);
    for change in changes {
        let mut case = java();
        change(&mut case);
        assert!(seen.insert(case.identity()));
    }
}

#[test]
fn other_credentials_are_another_command() {
    let auth = |parameters: &str| {
        let mut case = java();
        let (plugin, parameters) = ("example.Plugin".to_owned(), Redacted(parameters.to_owned()));
        case.spec.pulsar.auth = Some(PulsarAuth::Generic { plugin, parameters });
        case.identity()
    };
    assert_ne!(auth("a"), auth("b"));
}
