//! Pulsar's Python instance.

use super::super::log::Logging;
use super::super::shell::word;
use super::super::volumes::TMP;
use super::{Prepared, secrets, shared, state_url};

const INSTANCE: &str = "/pulsar/instances/python-instance";

pub(super) fn exec(prepared: &Prepared<'_>, package: &str) -> String {
    let component = prepared.component;
    let name = component.name.name.as_str();
    let logging = Logging::python(&component.spec);
    // Where the image cannot be written to, a copy of the instance is changed.
    let (copy, instance) = if prepared.pods.restricted() {
        (format!("cp -R {INSTANCE} {TMP} && "), format!("{TMP}/python-instance"))
    } else {
        (String::new(), INSTANCE.to_owned())
    };
    let mut words = vec![
        // The instance sets a level in its code, which would win over the configuration.
        format!(
            "{copy}sed -i.bak 's/^  Log.setLevel/#&/' {instance}/log.py && {}exec python {instance}/python_instance_main.py",
            logging.write(name)
        ),
        format!("--py {}", word(package)),
        format!("--logging_directory logs/functions --logging_file {name}-${{SHARD_ID}}.log"),
        format!("--logging_config_file {} --install_usercode_dependencies true", logging.path()),
    ];
    shared(prepared, &mut words);
    secrets(component, "secretsprovider.EnvironmentBasedSecretsProvider", &mut words);
    state_url(component, &mut words);
    words.join(" ")
}
