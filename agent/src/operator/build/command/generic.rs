//! Function Mesh's generic runtime, whose image executes files of several languages.

use super::super::shell::word;
use super::{Prepared, secrets, shared, state_url};

pub(super) fn exec(prepared: &Prepared<'_>, package: &str, language: &str) -> String {
    let component = prepared.component;
    let mut words = vec![format!(
        "exec pulsar_rust_instance --function_file {} --language {}",
        word(package),
        word(language)
    )];
    shared(prepared, &mut words);
    match language {
        "python" => secrets(component, "secrets_provider.EnvironmentBasedSecretsProvider", &mut words),
        "nodejs" => secrets(component, "EnvironmentBasedSecretsProvider", &mut words),
        _ => {}
    }
    state_url(component, &mut words);
    words.join(" ")
}
