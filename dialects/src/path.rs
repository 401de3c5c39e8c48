//! Field paths as Kubernetes writes them: `spec.functions[0].input.sourceSpecs[persistent://a/b/c].schemaType`.

/// Fields whose keys are names that users choose; those keys stand in brackets, whatever they look like.
const MAPS: &[&str] = &[
    "annotations",
    "customSchemaInputs",
    "customSchemaOutputs",
    "customSchemaSinks",
    "customSchemaSources",
    "customSerdeInputs",
    "customSerdeSources",
    "inputSpecs",
    "labels",
    "secrets",
    "secretsMap",
    "sourceSpecs",
    "topicToSchemaProperties",
    "topicToSchemaType",
    "topicToSerdeClassName",
    "topics",
];

/// The path of a member of the object at `parent`.
pub fn field(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        return name.to_owned();
    }
    let last = parent.rsplit(['.', ']']).next().unwrap_or(parent);
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain && !MAPS.contains(&last) { format!("{parent}.{name}") } else { key(parent, name) }
}

/// The path of the entry of a map at `parent`.
pub fn key(parent: &str, key: &str) -> String {
    format!("{parent}[{key}]")
}

/// The path of an element of the list at `parent`.
pub fn index(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// Whether `path` is `prefix` or lies below it; then what follows, with its separator.
pub fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix)?;
    (prefix.is_empty() || rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// The path around the last step of `path`; keys in brackets may hold dots.
pub fn parent(path: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, byte) in path.bytes().enumerate().rev() {
        match byte {
            b']' => depth += 1,
            b'[' if depth <= 1 => return path.get(..at).filter(|parent| !parent.is_empty()),
            b'[' => depth -= 1,
            b'.' if depth == 0 => return path.get(..at),
            _ => {}
        }
    }
    None
}

/// Whether a value at `path` may hold a credential, so that it must not be shown in a message.
pub(crate) fn is_secret(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    [
        "auth",
        "secret",
        "password",
        "token",
        "credential",
        "keyreaderconfig",
        "userconfig",
        "funcconfig",
        "configs",
        "env",
    ]
    .iter()
    .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_with_dots_and_chosen_keys_with_brackets() {
        assert_eq!(field("", "spec"), "spec");
        assert_eq!(field("spec", "replicas"), "spec.replicas");
        assert_eq!(field("spec.input.topics", "in"), "spec.input.topics[in]");
        assert_eq!(field("spec.pod.labels", "a.b/c"), "spec.pod.labels[a.b/c]");
        assert_eq!(index("spec.functions", 1), "spec.functions[1]");
    }

    #[test]
    fn the_parent_of_a_path_is_found_behind_keys_with_dots() {
        assert_eq!(parent("spec.input.topics[a.b/c]"), Some("spec.input.topics"));
        assert_eq!(parent("spec.input.topics[a.b[0-9]].schemaType"), Some("spec.input.topics[a.b[0-9]]"));
        assert_eq!(parent("spec.replicas"), Some("spec"));
        assert_eq!(parent("spec"), None);
    }

    #[test]
    fn a_path_lies_below_its_prefix_only_at_a_boundary() {
        assert_eq!(below("spec.input.topics[x]", "spec.input"), Some(".topics[x]"));
        assert_eq!(below("spec.inputs", "spec.input"), None);
        assert_eq!(below("spec", "spec"), Some(""));
    }
}
