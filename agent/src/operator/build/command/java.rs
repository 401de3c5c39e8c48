//! Pulsar's Java instance: Java functions and all connectors.

use isthmus_model::component::{ComponentKind, Runtime, Spec};

use super::super::log::Logging;
use super::super::resources::decimal;
use super::super::shell::word;
use super::{Prepared, secrets, shared, state_url};

const INSTANCE: &str = "/pulsar/instances/java-instance.jar";
const MAIN: &str = "org.apache.pulsar.functions.instance.JavaInstanceMain";
const SECRETS: &str = "org.apache.pulsar.functions.secretsprovider.EnvironmentBasedSecretsProvider";

pub(super) fn exec(prepared: &Prepared<'_>, package: &str) -> String {
    let component = prepared.component;
    let (spec, name) = (&component.spec, component.name.name.as_str());
    let logging = Logging::java(spec);
    let (dependencies, options, instance, main) = match &spec.runtime {
        Some(Runtime::Java { extra_dependencies_dir, java_opts, instance_path, entry_class, .. }) => (
            extra_dependencies_dir.as_str(),
            java_opts.join(" "),
            instance_path.as_str(),
            entry_class.as_str(),
        ),
        _ => ("", String::new(), "", ""),
    };
    let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { word(text) };
    let dependencies =
        if dependencies.is_empty() { String::new() } else { format!(":{}/*", word(dependencies)) };
    let level = logging.java_level();
    let mut words = vec![
        format!(
            "{}exec java -cp {}:$(echo /pulsar/lib/com.fasterxml.jackson.dataformat-jackson-dataformat-yaml-*.jar):$(echo /pulsar/lib/org.yaml-snakeyaml-*.jar){dependencies}",
            logging.write(name),
            or(instance, INSTANCE)
        ),
        "-Dpulsar.functions.instance.classpath=/pulsar/lib/*".to_owned(),
        format!("-Dlog4j.configurationFile={}", logging.path()),
        "-Dpulsar.function.log.dir=logs/functions".to_owned(),
        format!("-Dpulsar.function.log.file={name}-${{SHARD_ID}}"),
        "-Dpulsar.allocator.exit_on_oom=true".to_owned(),
        // What is not given leaves its blank, as in Function Mesh: the same component has the same command there.
        level.map(|level| format!("-Dpulsar.log.level={level} -Dbk.log.level={level}")).unwrap_or_default(),
        "-XX:MaxRAMPercentage=70".to_owned(),
        format!("-XX:MaxDirectMemorySize={}", direct_memory(spec)),
        "-XX:+UseG1GC -XX:+HeapDumpOnOutOfMemoryError -XX:HeapDumpPath=/pulsar/tmp/heapdump-%p.hprof -XX:+ExitOnOutOfMemoryError".to_owned(),
        "-Xlog:gc*:file=/pulsar/logs/gc.log:time,level,tags:filecount=5,filesize=10M".to_owned(),
        // As they are: people write `$POD_NAME` in them.
        options,
        or(main, MAIN),
        format!("--jar {}", word(package)),
    ];
    shared(prepared, &mut words);
    let function = component.kind == ComponentKind::Function;
    if function && (spec.source_connector.is_some() || spec.sink_connector.is_some()) {
        words.push("--connectors_directory /pulsar/connectors".to_owned());
    }
    secrets(component, SECRETS, &mut words);
    state_url(component, &mut words);
    if let Some(state) = spec.state.as_ref().filter(|state| !state.java_provider_class_name.is_empty()) {
        words.push(format!("--state_storage_impl_class {}", word(&state.java_provider_class_name)));
    }
    if let Some(pending) = spec.max_pending_async_requests.filter(|_| function) {
        words.push(format!("--pending_async_requests {pending}"));
    }
    words.join(" ")
}

/// A fifth of what the container may use, beside the heap's 70 of 100.
fn direct_memory(spec: &Spec) -> String {
    decimal(spec.resources.limits.memory_bytes.unwrap_or(0) / 5)
}
