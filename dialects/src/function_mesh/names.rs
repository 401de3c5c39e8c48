//! How Function Mesh calls the fields of the model.

use isthmus_model::component::ComponentKind;

use super::resource::Spec;
use crate::path;
use crate::written::Names;

/// Paths of the model and of a custom resource's spec.
const SPEC: &[(&str, &str)] = &[
    ("metadata.tenant", "tenant"),
    ("metadata.namespace", "namespace"),
    ("spec", ""),
    ("spec.batchSource", "batchSourceConfig"),
    ("spec.input.cleanupSubscription", "cleanupSubscription"),
    ("spec.input.retainKeyOrdering", "retainKeyOrdering"),
    ("spec.input.retainOrdering", "retainOrdering"),
    ("spec.input.skipToLatest", "skipToLatest"),
    ("spec.input.subscriptionName", "subscriptionName"),
    ("spec.input.subscriptionPosition", "subscriptionPosition"),
    ("spec.kubernetes", ""),
    ("spec.kubernetes.imageHasWget", "imageHasGet"),
    ("spec.kubernetes.volumeClaimRetentionPolicy", "persistentVolumeClaimRetentionPolicy"),
    ("spec.output.producer", "output.producerConf"),
    ("spec.output.producer.compression", "output.producerConf.compressionType"),
    ("spec.output.schemaType", "output.sinkSchemaType"),
    ("spec.output.serdeClassName", "output.sinkSerdeClassName"),
    ("spec.packageService", "pulsarPackageService"),
    ("spec.packageService.config", "pulsarPackageService.pulsarConfig"),
    ("spec.pulsar.config", "pulsar.pulsarConfig"),
    ("spec.resources.limits.cpuMillis", "resources.limits.cpu"),
    ("spec.resources.limits.memoryBytes", "resources.limits.memory"),
    ("spec.resources.limits.other", "resources.limits"),
    ("spec.resources.limits.storageBytes", "resources.limits.storage"),
    ("spec.resources.requests.cpuMillis", "resources.requests.cpu"),
    ("spec.resources.requests.memoryBytes", "resources.requests.memory"),
    ("spec.resources.requests.other", "resources.requests"),
    ("spec.resources.requests.storageBytes", "resources.requests.storage"),
    ("spec.retry.deadLetterTopic", "deadLetterTopic"),
    ("spec.retry.maxMessageRetries", "maxMessageRetry"),
    ("spec.secrets", "secretsMap"),
    ("spec.sinkConnector", "sinkConfig"),
    ("spec.sourceConnector", "sourceConfig"),
    ("spec.state", "statefulConfig.pulsar"),
    ("spec.state.javaProviderClassName", "statefulConfig.pulsar.javaProvider.className"),
    ("spec.timeoutMs", "timeout"),
    ("spec.userConfig", "funcConfig"),
    ("spec.window", "windowConfig"),
    ("spec.window.lengthCount", "windowConfig.windowLengthCount"),
    ("spec.window.lengthDurationMs", "windowConfig.windowLengthDurationMs"),
    ("spec.window.processingGuarantee", "windowConfig.processingGuarantees"),
];

const JAVA: &[(&str, &str)] = &[
    ("spec.runtime", "java"),
    ("spec.runtime.log.configMap", "java.log.logConfig"),
    ("spec.runtime.log.javaConfigFileType", "java.log.javaLog4JConfigFileType"),
    ("spec.runtime.package.file", "java.jar"),
    ("spec.runtime.package.location", "java.jarLocation"),
];
const PYTHON: &[(&str, &str)] = &[
    ("spec.runtime", "python"),
    ("spec.runtime.log.configMap", "python.log.logConfig"),
    ("spec.runtime.package.file", "python.py"),
    ("spec.runtime.package.location", "python.pyLocation"),
];
const GOLANG: &[(&str, &str)] = &[
    ("spec.runtime", "golang"),
    ("spec.runtime.log.configMap", "golang.log.logConfig"),
    ("spec.runtime.package.file", "golang.go"),
    ("spec.runtime.package.location", "golang.goLocation"),
];
const GENERIC: &[(&str, &str)] = &[
    ("spec.runtime", "genericRuntime"),
    ("spec.runtime.package.file", "genericRuntime.functionFile"),
    ("spec.runtime.package.location", "genericRuntime.functionFileLocation"),
];
/// No runtime is given: the field that is missing is the commonest of them.
const NO_RUNTIME: &[(&str, &str)] = &[("spec.runtime", "java")];

const SOURCE_CONFIG: &[(&str, &str)] = &[("spec.sourceConnector.config", "sourceConfig")];
const SINK_CONFIG: &[(&str, &str)] = &[("spec.sinkConnector.config", "sinkConfig")];
const FUNCTION_CONFIGS: &[(&str, &str)] = &[
    ("spec.sinkConnector.config", "sinkConfig.configs"),
    ("spec.sourceConnector.config", "sourceConfig.configs"),
];

/// The parts of the two ways to authenticate.
const OAUTH2: &[(&str, &str)] = &[
    ("audience", "audience"),
    ("issuerUrl", "issuerUrl"),
    ("keySecret.name", "keySecretName"),
    ("keySecret.key", "keySecretKey"),
];
const GENERIC_AUTH: &[(&str, &str)] =
    &[("plugin", "clientAuthenticationPlugin"), ("parameters", "clientAuthenticationParameters")];

/// Members that are called otherwise wherever they stand.
const MEMBERS: &[(&str, &str)] = &[
    ("consumerFailureAction", "consumerCryptoFailureAction"),
    ("crypto", "cryptoConfig"),
    ("keyReaderClassName", "cryptoKeyReaderClassName"),
    ("keyReaderConfig", "cryptoKeyReaderConfig"),
    ("producerFailureAction", "producerCryptoFailureAction"),
    ("serdeClassName", "serdeClassname"),
];

pub(super) fn names(kind: ComponentKind, spec: &Spec, base: &str, in_mesh: bool) -> Names {
    let runtime = match (&spec.java, &spec.python, &spec.golang, &spec.generic_runtime) {
        (Some(_), ..) => JAVA,
        (None, Some(_), ..) => PYTHON,
        (None, None, Some(_), _) => GOLANG,
        (None, None, None, Some(_)) => GENERIC,
        (None, None, None, None) => NO_RUNTIME,
    };
    let config = match kind {
        ComponentKind::Function => FUNCTION_CONFIGS,
        ComponentKind::Source => SOURCE_CONFIG,
        ComponentKind::Sink => SINK_CONFIG,
    };
    let mut names = Names {
        base: base.to_owned(),
        tables: vec![SPEC, runtime, config],
        members: MEMBERS,
        own: Vec::new(),
    };
    let name =
        if in_mesh || !spec.name.is_empty() { path::field(base, "name") } else { "metadata.name".to_owned() };
    names.own.push(("metadata.name".to_owned(), name));
    for (model, own, access) in [
        ("spec.pulsar", "pulsar", &spec.pulsar),
        ("spec.packageService", "pulsarPackageService", &spec.pulsar_package_service),
    ] {
        for (model_auth, own_auth, auth) in [
            ("auth", "authConfig", access.as_ref().and_then(|access| access.auth_config.as_ref())),
            (
                "cleanupAuth",
                "cleanupAuthConfig",
                access.as_ref().and_then(|access| access.cleanup_auth_config.as_ref()),
            ),
        ] {
            let (way, members) = match auth {
                Some(auth) if auth.oauth2_config.is_some() => ("oauth2Config", OAUTH2),
                Some(_) => ("genericAuth", GENERIC_AUTH),
                None => continue,
            };
            let at = format!("{base}.{own}.{own_auth}.{way}");
            let model = format!("{model}.{model_auth}");
            names.own.extend(
                members.iter().map(|(member, name)| (format!("{model}.{member}"), format!("{at}.{name}"))),
            );
        }
    }
    names.own.push(("placement".to_owned(), path::key("metadata.annotations", super::PLACEMENT)));
    names
}
