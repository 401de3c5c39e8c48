//! Pulsar's Python instance.

use isthmus_model::component::Runtime;
use isthmus_model::reason::Reason;

use super::{
    Command, Input, MAX_BUFFERED_TUPLES, NO_WATCHDOG, Refused, connection, flag, logging, text, who,
};

pub(super) fn build(input: &Input<'_>) -> Result<Command, Refused> {
    let python = input.distribution.python.as_ref().map_err(|missing| Refused {
        reason: Reason::MissingCapability,
        message: format!("Python does not run here: {missing}"),
    })?;
    let spec = &input.component.spec;
    let home = text(&python.home);
    let log = match &spec.runtime {
        Some(Runtime::Python { log, .. }) => log.as_ref(),
        _ => None,
    };
    let mut args = Vec::with_capacity(48);

    args.extend(spec.runtime_flags.split_ascii_whitespace().map(str::to_owned));
    args.push(format!("{home}/instances/python-instance/python_instance_main.py"));
    flag(&mut args, "--py", text(input.package));
    flag(&mut args, "--logging_directory", text(input.logs));
    flag(&mut args, "--logging_file", input.component.name.name.to_string());
    flag(&mut args, "--logging_config_file", text(&input.files.join(logging::PYTHON)));
    who(&mut args, input);
    let (connection, mut files) = connection::of(input);
    connection.address(&mut args);
    connection.credentials(&mut args, "--tls_allow_insecure_connection");
    flag(&mut args, "--max_buffered_tuples", MAX_BUFFERED_TUPLES.to_string());
    flag(&mut args, "--port", input.ports.control.to_string());
    flag(&mut args, "--metrics_port", input.ports.metrics.to_string());
    connection.state(&mut args);
    flag(&mut args, "--expected_healthcheck_interval", NO_WATCHDOG.to_string());
    let provider =
        if spec.secrets.is_empty() { "ClearTextSecretsProvider" } else { "EnvironmentBasedSecretsProvider" };
    flag(&mut args, "--secrets_provider", format!("secretsprovider.{provider}"));
    flag(&mut args, "--cluster_name", connection.cluster_name);

    files.insert(logging::PYTHON, logging::python(log));
    let mut env = input.secrets.environment.clone();
    env.insert("PYTHONPATH".into(), format!("{home}/instances/deps"));
    // What the user's code prints is in the log when it was printed, not when a buffer is full.
    env.insert("PYTHONUNBUFFERED".into(), "1".into());
    env.insert("PULSAR_HOME".into(), home);
    Ok(Command { program: python.program.clone(), args, env, files })
}
