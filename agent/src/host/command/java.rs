//! Pulsar's Java instance: Java functions and all connectors.

use isthmus_model::component::{Runtime, Spec};
use isthmus_model::reason::Reason;

use super::{
    Command, Input, MAX_BUFFERED_TUPLES, NO_WATCHDOG, Refused, connection, flag, logging, text, who,
};

/// What an instance gets when the component says nothing, as in Pulsar.
const DEFAULT_HEAP_BYTES: u64 = 1 << 30;

/// Values of `--add-opens` without which Pulsar's client does not run.
const OPENED: [&str; 3] = [
    "java.base/java.nio=ALL-UNNAMED",
    "java.base/jdk.internal.misc=ALL-UNNAMED",
    "java.base/java.util.zip=ALL-UNNAMED",
];

pub(super) fn build(input: &Input<'_>) -> Result<Command, Refused> {
    let java = input.distribution.java.as_ref().map_err(|missing| Refused {
        reason: Reason::MissingCapability,
        message: format!("Java does not run here: {missing}"),
    })?;
    let spec = &input.component.spec;
    let home = text(&java.home);
    let own = Own::of(spec, &home);
    let name = &input.component.name.name;
    let mut args = Vec::with_capacity(64);

    flag(&mut args, "-cp", format!("{}:{}/*", own.instance_jar, own.dependencies));
    args.push(format!("-Dpulsar.functions.extra.dependencies.dir={}", own.dependencies));
    args.push(format!("-Dpulsar.functions.instance.classpath={home}/conf:::{home}/lib/*:"));
    args.push(format!("-Dlog4j.configurationFile={}", text(&input.files.join(logging::LOG4J))));
    args.push(format!("-Dpulsar.function.log.dir={}", text(input.logs)));
    args.push(format!("-Dpulsar.function.log.file={name}-{}", input.index));
    for prefix in ["", "org.apache.pulsar.shade.", "io.grpc.netty.shaded."] {
        args.push(format!("-D{prefix}io.netty.tryReflectionSetAccessible=true"));
    }
    for package in OPENED {
        flag(&mut args, "--add-opens", package);
    }
    args.extend(spec.runtime_flags.split_ascii_whitespace().map(str::to_owned));
    args.push(format!("-Xmx{}", heap(spec)));
    // Last, so that who gives these has the last word.
    args.extend(own.java_opts.iter().cloned());
    args.push(own.entry_class);

    flag(&mut args, "--jar", text(input.package));
    if let (Some(transform), Some(package)) = (&spec.transform, input.transform) {
        flag(&mut args, "--transform_function_jar", text(package));
        flag(&mut args, "--transform_function_id", transform.class_name.clone());
    }
    who(&mut args, input);
    let (connection, mut files) = connection::of(input);
    connection.address(&mut args);
    connection.credentials(&mut args, "--tls_allow_insecure");
    flag(&mut args, "--max_buffered_tuples", MAX_BUFFERED_TUPLES.to_string());
    flag(&mut args, "--port", input.ports.control.to_string());
    flag(&mut args, "--metrics_port", input.ports.metrics.to_string());
    let pending = spec.max_pending_async_requests.unwrap_or(1000);
    flag(&mut args, "--pending_async_requests", pending.to_string());
    connection.state(&mut args);
    flag(&mut args, "--expected_healthcheck_interval", NO_WATCHDOG.to_string());
    let provider =
        if spec.secrets.is_empty() { "ClearTextSecretsProvider" } else { "EnvironmentBasedSecretsProvider" };
    flag(&mut args, "--secrets_provider", format!("org.apache.pulsar.functions.secretsprovider.{provider}"));
    flag(&mut args, "--cluster_name", connection.cluster_name);
    flag(&mut args, "--nar_extraction_directory", text(input.nars));
    if spec.expose_pulsar_admin_client {
        flag(&mut args, "--web_serviceurl", input.assignment.pulsar.admin_url.clone());
        args.push("--expose_pulsaradmin".into());
    }

    files.insert(logging::LOG4J, logging::log4j(own.log.as_ref()));
    let mut env = input.secrets.environment.clone();
    env.insert("PULSAR_HOME".into(), home);
    Ok(Command { program: java.program.clone(), args, env, files })
}

/// The heap's bound: what the component may use at most, else what it asks for.
fn heap(spec: &Spec) -> u64 {
    let resources = &spec.resources;
    resources.limits.memory_bytes.or(resources.requests.memory_bytes).unwrap_or(DEFAULT_HEAP_BYTES)
}

/// What a component may say of the Java instance itself, or the distribution's.
struct Own {
    instance_jar: String,
    dependencies: String,
    entry_class: String,
    java_opts: Vec<String>,
    log: Option<isthmus_model::component::LogConfig>,
}

impl Own {
    fn of(spec: &Spec, home: &str) -> Self {
        let given = |text: &str, otherwise: String| {
            // Images of Pulsar have the distribution in /pulsar; what is said for one holds for this one.
            match (text.is_empty(), text.strip_prefix("/pulsar/")) {
                (true, _) => otherwise,
                (false, Some(inside)) => format!("{home}/{inside}"),
                (false, None) => text.to_owned(),
            }
        };
        let (dependencies, instance, entry, java_opts, log) = match &spec.runtime {
            Some(Runtime::Java {
                extra_dependencies_dir,
                instance_path,
                entry_class,
                java_opts,
                log,
                ..
            }) => (
                extra_dependencies_dir.as_str(),
                instance_path.as_str(),
                entry_class.as_str(),
                java_opts.clone(),
                log.clone(),
            ),
            _ => ("", "", "", Vec::new(), None),
        };
        Self {
            instance_jar: given(instance, format!("{home}/instances/java-instance.jar")),
            dependencies: given(dependencies, format!("{home}/instances/deps")),
            entry_class: given(entry, "org.apache.pulsar.functions.instance.JavaInstanceMain".into()),
            java_opts,
            log,
        }
    }
}
