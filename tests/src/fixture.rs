//! What the tests deploy: components with sane defaults, of which a test changes what it is about.
//!
//! A plain fixture is written in Go, because every agent can be given Go, whatever its machine has; its package is a file that
//! no machine has, so that no process is started for it. Tests that want it to run say what to run.

use isthmus_proto::common::v1::{FullName, Metadata};
use isthmus_proto::component::v1::spec::Runtime;
use isthmus_proto::component::v1::{
    Amounts, ApplyRequest, Component, Connector, ConsumerConfig, CreateRequest, DeleteRequest, GetRequest,
    GoRuntime, Input, JavaRuntime, Kind, Mode, Operator, Output, Package, Placement, PythonRuntime,
    Requirement, Resources, Spec, SubscriptionPosition, UpdateRequest,
};

/// Memory of an instance in Java: Pulsar's own needs a little more than 100 MiB.
const JAVA_MEMORY: u64 = 256 << 20;

/// The Java type of text.
const TEXT: &str = "java.lang.String";

/// A component in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixture(Component);

/// A function that reads `NAME-in` and writes `NAME-out` of `public/default`.
pub fn function(name: &str) -> Fixture {
    fixture(Kind::Function, name).input(&format!("{name}-in")).output(&format!("{name}-out"))
}

/// A source that writes `NAME-out` of `public/default`. Connectors run on Java only.
pub fn source(name: &str) -> Fixture {
    let absent = package("/pulsar/absent.nar", "");
    fixture(Kind::Source, name).output(&format!("{name}-out")).connector(
        absent,
        "org.example.Absent",
        TEXT,
        "",
    )
}

/// A sink that reads `NAME-in` of `public/default`. Connectors run on Java only.
pub fn sink(name: &str) -> Fixture {
    let absent = package("/pulsar/absent.nar", "");
    fixture(Kind::Sink, name).input(&format!("{name}-in")).connector(absent, "org.example.Absent", TEXT, "")
}

/// The name of something in `public/default`.
pub fn name(name: &str) -> FullName {
    FullName { tenant: "public".into(), namespace: "default".into(), name: name.into() }
}

/// Asks for something in `public/default`.
pub fn get(of: &str) -> GetRequest {
    GetRequest { name: Some(name(of)) }
}

/// Asks for the end of a function in `public/default`.
pub fn delete(of: &str) -> DeleteRequest {
    DeleteRequest { name: Some(name(of)), kind: Kind::Function.into(), ..DeleteRequest::default() }
}

/// A file of the gateway's packages.
pub fn package(file: &str, location: &str) -> Package {
    Package { file: file.into(), location: location.into(), digest: Vec::new() }
}

fn fixture(kind: Kind, name: &str) -> Fixture {
    let metadata = Metadata {
        tenant: "public".into(),
        namespace: "default".into(),
        name: name.into(),
        ..Metadata::default()
    };
    let absent = GoRuntime { package: Some(package("/pulsar/absent", "")), log: None };
    let spec = Spec { runtime: Some(Runtime::Go(absent)), ..Spec::default() };
    let placement = Placement { mode: Mode::Singleton.into(), ..Placement::default() };
    Fixture(Component {
        kind: kind.into(),
        metadata: Some(metadata),
        placement: Some(placement),
        spec: Some(Box::new(spec)),
        status: None,
        sealed_secrets: None,
    })
}

fn topic(name: &str) -> String {
    if name.contains("://") { name.to_owned() } else { format!("persistent://public/default/{name}") }
}

impl Fixture {
    /// Anything that has no method of its own.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(self.0.spec.get_or_insert_default());
        self
    }

    fn with_metadata(mut self, change: impl FnOnce(&mut Metadata)) -> Self {
        change(self.0.metadata.get_or_insert_default());
        self
    }

    /// Any wish of placement that has no method of its own.
    #[must_use]
    pub fn with_placement(mut self, change: impl FnOnce(&mut Placement)) -> Self {
        change(self.0.placement.get_or_insert_default());
        self
    }

    /// Reads this topic, and no other, from its first message on.
    #[must_use]
    pub fn input(self, name: &str) -> Self {
        self.with(|spec| {
            spec.input = Some(Input {
                topics: [(topic(name), ConsumerConfig::default())].into(),
                subscription_position: SubscriptionPosition::Earliest.into(),
                ..Input::default()
            });
        })
    }

    /// Writes this topic.
    #[must_use]
    pub fn output(self, name: &str) -> Self {
        self.with(|spec| spec.output = Some(Output { topic: topic(name), ..Output::default() }))
    }

    /// In this tenant and namespace.
    #[must_use]
    pub fn within(self, tenant: &str, namespace: &str) -> Self {
        self.with_metadata(|metadata| {
            metadata.tenant = tenant.into();
            metadata.namespace = namespace.into();
        })
    }

    /// With this label.
    #[must_use]
    pub fn label(self, key: &str, value: &str) -> Self {
        self.with_metadata(|metadata| drop(metadata.labels.insert(key.into(), value.into())))
    }

    /// Only if this is the current revision.
    #[must_use]
    pub fn at_revision(self, revision: u64) -> Self {
        self.with_metadata(|metadata| metadata.revision = revision)
    }

    /// So many instances.
    #[must_use]
    pub fn replicas(self, replicas: u32) -> Self {
        self.with(|spec| spec.replicas = Some(replicas))
    }

    /// A Go binary of the gateway's packages.
    #[must_use]
    pub fn go(self, package: Package) -> Self {
        self.with(|spec| spec.runtime = Some(Runtime::Go(GoRuntime { package: Some(package), log: None })))
    }

    /// A Java class, over strings unless `with` says otherwise.
    #[must_use]
    pub fn java(self, package: Package, class: &str) -> Self {
        self.with(|spec| {
            spec.class_name = class.into();
            spec.runtime =
                Some(Runtime::Java(JavaRuntime { package: Some(package), ..JavaRuntime::default() }));
            if let Some(input) = &mut spec.input {
                input.type_class_name = TEXT.into();
            }
            if let Some(output) = &mut spec.output {
                output.type_class_name = TEXT.into();
            }
            spec.resources = Some(memory(JAVA_MEMORY));
        })
    }

    /// A Python module, or class in a module.
    #[must_use]
    pub fn python(self, package: Package, class: &str) -> Self {
        self.with(|spec| {
            spec.class_name = class.into();
            spec.runtime = Some(Runtime::Python(PythonRuntime { package: Some(package), log: None }));
        })
    }

    /// A source's or sink's connector, of a NAR of the gateway's packages, over records of this Java class.
    #[must_use]
    pub fn connector(self, nar: Package, class: &str, record: &str, config: &str) -> Self {
        let kind = self.0.kind();
        self.java(nar, class).with(|spec| {
            let connector = Connector {
                type_class_name: record.into(),
                config_json: config.into(),
                ..Connector::default()
            };
            match kind {
                Kind::Sink => spec.sink_connector = Some(connector),
                Kind::Unspecified | Kind::Function | Kind::Source => spec.source_connector = Some(connector),
            }
            if let Some(input) = &mut spec.input {
                input.type_class_name = record.into();
            }
            if let Some(output) = &mut spec.output {
                output.type_class_name = record.into();
            }
        })
    }

    /// In this mode.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        self.with_placement(|placement| placement.mode = mode.into())
    }

    /// Only in clusters with this label.
    #[must_use]
    pub fn only_where(self, key: &str, value: &str) -> Self {
        self.with_placement(|placement| {
            placement.clusters.push(Requirement {
                key: key.into(),
                operator: Operator::In.into(),
                values: vec![value.into()],
            });
        })
    }

    /// As it is.
    pub fn build(&self) -> Component {
        self.0.clone()
    }

    /// Asks for its creation.
    pub fn create(&self) -> CreateRequest {
        CreateRequest { component: Some(self.build()), ..CreateRequest::default() }
    }

    /// Asks for the replacement of what has its name.
    pub fn update(&self) -> UpdateRequest {
        UpdateRequest { component: Some(self.build()), ..UpdateRequest::default() }
    }

    /// Asks for either.
    pub fn apply(&self) -> ApplyRequest {
        ApplyRequest { component: Some(self.build()), ..ApplyRequest::default() }
    }
}

fn memory(bytes: u64) -> Resources {
    let amounts = Amounts { memory_bytes: Some(bytes), ..Amounts::default() };
    Resources { requests: Some(amounts.clone()), limits: Some(amounts) }
}
