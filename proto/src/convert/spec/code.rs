//! The user's code, or the connector that stands in its place.

use isthmus_model::component::{BatchSource, Connector, LogConfig, Runtime, Transform};
use isthmus_model::name::Digest;
use isthmus_model::package::PackageRef;

use crate::component::v1 as wire;
use crate::component::v1::spec::Runtime as WireRuntime;
use crate::convert::problems::{Path, Problems, text_of_object};

impl From<Runtime> for WireRuntime {
    fn from(runtime: Runtime) -> Self {
        match runtime {
            Runtime::Java { package, extra_dependencies_dir, java_opts, instance_path, entry_class, log } => {
                Self::Java(wire::JavaRuntime {
                    package: Some(package.into()),
                    extra_dependencies_dir,
                    java_opts,
                    instance_path,
                    entry_class,
                    log: log.map(Into::into),
                })
            }
            Runtime::Python { package, log } => {
                Self::Python(wire::PythonRuntime { package: Some(package.into()), log: log.map(Into::into) })
            }
            Runtime::Go { package, log } => {
                Self::Go(wire::GoRuntime { package: Some(package.into()), log: log.map(Into::into) })
            }
            Runtime::Generic { package, language } => {
                Self::Generic(wire::GenericRuntime { package: Some(package.into()), language })
            }
        }
    }
}

pub(super) fn runtime(runtime: WireRuntime, at: &Path<'_>, problems: &mut Problems) -> Runtime {
    let mut code = |written: Option<wire::Package>, at: Path<'_>| {
        package(written.unwrap_or_default(), &at.field("package"), problems)
    };
    match runtime {
        WireRuntime::Java(wire::JavaRuntime {
            package,
            extra_dependencies_dir,
            java_opts,
            instance_path,
            entry_class,
            log,
        }) => Runtime::Java {
            package: code(package, at.field("java")),
            extra_dependencies_dir,
            java_opts,
            instance_path,
            entry_class,
            log: log.map(Into::into),
        },
        WireRuntime::Python(wire::PythonRuntime { package, log }) => {
            Runtime::Python { package: code(package, at.field("python")), log: log.map(Into::into) }
        }
        WireRuntime::Go(wire::GoRuntime { package, log }) => {
            Runtime::Go { package: code(package, at.field("go")), log: log.map(Into::into) }
        }
        WireRuntime::Generic(wire::GenericRuntime { package, language }) => {
            Runtime::Generic { package: code(package, at.field("generic")), language }
        }
    }
}

impl From<PackageRef> for wire::Package {
    fn from(PackageRef { file, location, digest }: PackageRef) -> Self {
        Self { file, location, digest: digest.map(|Digest(bytes)| bytes.to_vec()).unwrap_or_default() }
    }
}

fn package(package: wire::Package, at: &Path<'_>, problems: &mut Problems) -> PackageRef {
    let wire::Package { file, location, digest } = package;
    let digest = match <[u8; 32]>::try_from(digest.as_slice()) {
        Ok(bytes) => Some(Digest(bytes)),
        Err(_) if digest.is_empty() => None,
        Err(_) => {
            problems.invalid(
                &at.field("digest"),
                "a SHA-256 has 32 bytes; leave it out, it is filled in",
                digest.len(),
            );
            None
        }
    };
    PackageRef { file, location, digest }
}

impl From<LogConfig> for wire::LogConfig {
    fn from(
        LogConfig { level, rotate_policy, format, config_map, java_config_file_type }: LogConfig,
    ) -> Self {
        Self { level, rotate_policy, format, config_map: config_map.map(Into::into), java_config_file_type }
    }
}

impl From<wire::LogConfig> for LogConfig {
    fn from(log: wire::LogConfig) -> Self {
        let wire::LogConfig { level, rotate_policy, format, config_map, java_config_file_type } = log;
        Self { level, rotate_policy, format, config_map: config_map.map(Into::into), java_config_file_type }
    }
}

impl From<Transform> for wire::Transform {
    fn from(Transform { package, class_name, config }: Transform) -> Self {
        Self { package: Some(package.into()), class_name, config }
    }
}

pub(super) fn transform(transform: wire::Transform, at: &Path<'_>, problems: &mut Problems) -> Transform {
    let wire::Transform { package: written, class_name, config } = transform;
    Transform {
        package: package(written.unwrap_or_default(), &at.field("package"), problems),
        class_name,
        config,
    }
}

impl From<Connector> for wire::Connector {
    fn from(Connector { builtin, class_name, type_class_name, config }: Connector) -> Self {
        Self { builtin, class_name, type_class_name, config_json: text_of_object(config) }
    }
}

pub(super) fn connector(connector: wire::Connector, at: &Path<'_>, problems: &mut Problems) -> Connector {
    let wire::Connector { builtin, class_name, type_class_name, config_json } = connector;
    let config = problems.object(&at.field("configJson"), &config_json);
    Connector { builtin, class_name, type_class_name, config }
}

impl From<BatchSource> for wire::BatchSource {
    fn from(BatchSource { discovery_triggerer_class_name, discovery_triggerer_config }: BatchSource) -> Self {
        let discovery_triggerer_config_json = text_of_object(discovery_triggerer_config);
        Self { discovery_triggerer_class_name, discovery_triggerer_config_json }
    }
}

pub(super) fn batch_source(
    batch_source: wire::BatchSource,
    at: &Path<'_>,
    problems: &mut Problems,
) -> BatchSource {
    let wire::BatchSource { discovery_triggerer_class_name, discovery_triggerer_config_json } = batch_source;
    let path = at.field("discoveryTriggererConfigJson");
    let discovery_triggerer_config = problems.object(&path, &discovery_triggerer_config_json);
    BatchSource { discovery_triggerer_class_name, discovery_triggerer_config }
}
