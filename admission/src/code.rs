//! The user's code: its runtime, package and class.

use isthmus_model::component::{ComponentKind, LogConfig, Runtime, Spec};
use isthmus_model::package::PackageRef;
use isthmus_model::reason::Reason;

use crate::Facts;
use crate::report::Report;

const LEVELS: &[&str] = &["off", "trace", "debug", "info", "warn", "error", "fatal", "all", "panic"];
const ROTATIONS: &[&str] = &[
    "TimedPolicyWithDaily",
    "TimedPolicyWithWeekly",
    "TimedPolicyWithMonthly",
    "SizedPolicyWith10MB",
    "SizedPolicyWith50MB",
    "SizedPolicyWith100MB",
];
const FORMATS: &[&str] = &["json", "text"];
const LOG_FILES: &[&str] = &["xml", "yaml", "ini"];
/// Languages of the generic runtime for which there is an image.
const LANGUAGES: &[&str] = &["nodejs", "python", "executable", "wasm"];

/// Checks the code and pins its package.
pub(crate) fn check(kind: ComponentKind, spec: &mut Spec, facts: &impl Facts, report: &mut Report) {
    words("spec.runtimeFlags", &spec.runtime_flags, report);
    let image = !spec.kubernetes.image.is_empty();
    let Some(runtime) = &mut spec.runtime else {
        let message = "a runtime must be given: java, python, go or generic, with the package of the code";
        report.missing("spec.runtime", message);
        class(kind, spec, report);
        return;
    };
    if kind != ComponentKind::Function && !matches!(runtime, Runtime::Java { .. }) {
        let message = format!("a {} runs on Java only", kind.as_str().to_lowercase());
        report.invalid("spec.runtime", message, &runtime.word());
    }
    package("spec.runtime.package", runtime.package_mut(), facts, report);
    match runtime {
        Runtime::Java { java_opts, extra_dependencies_dir, instance_path, entry_class, log, .. } => {
            for (index, option) in java_opts.iter().enumerate() {
                words(&format!("spec.runtime.javaOpts[{index}]"), option, report);
            }
            words("spec.runtime.extraDependenciesDir", extra_dependencies_dir, report);
            words("spec.runtime.instancePath", instance_path, report);
            if !entry_class.is_empty() && !is_class(entry_class) {
                report.invalid("spec.runtime.entryClass", CLASS, &entry_class);
            }
            self::log(log.as_ref(), report);
        }
        Runtime::Python { log, .. } | Runtime::Go { log, .. } => self::log(log.as_ref(), report),
        Runtime::Generic { language, .. } => match language.as_str() {
            "" => report.missing("spec.runtime.language", "the language must be given"),
            known if LANGUAGES.contains(&known) || image => {}
            other => {
                let message =
                    format!("it must be one of {}, or an image must be given", LANGUAGES.join(", "));
                report.invalid("spec.runtime.language", message, &other);
            }
        },
    }
    if let Some(transform) = &mut spec.transform {
        package("spec.transform.package", &mut transform.package, facts, report);
    }
    // After the package has its name, since an archive's tells what it is.
    class(kind, spec, report);
}

const CLASS: &str = "a class must be names of letters, digits, _, $ and - joined by dots";

fn class(kind: ComponentKind, spec: &Spec, report: &mut Report) {
    if !spec.class_name.is_empty() {
        if !is_class(&spec.class_name) {
            report.invalid("spec.className", CLASS, &spec.class_name);
        }
        return;
    }
    // An archive says itself which class it is for.
    let nar = |name: &str| name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("nar"));
    let archive = |package: &PackageRef| {
        package.location.starts_with("builtin://") || nar(&package.file) || nar(&package.location)
    };
    let needed = match &spec.runtime {
        Some(Runtime::Java { package, .. }) => kind == ComponentKind::Function && !archive(package),
        Some(Runtime::Python { .. }) => true,
        Some(Runtime::Go { .. } | Runtime::Generic { .. }) | None => false,
    };
    if needed {
        report.missing("spec.className", "the class must be given");
    }
}

pub(crate) fn is_class(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
    };
    text.split('.').all(part)
}

/// Text that ends up on a command line or in a path.
fn words(field: &str, text: &str, report: &mut Report) {
    if text.chars().any(char::is_control) {
        report.invalid(field, "it must not contain control characters or line breaks", &text);
    }
}

fn package(field: &str, package: &mut PackageRef, facts: &impl Facts, report: &mut Report) {
    let PackageRef { file, location, digest } = package;
    let file_field = || format!("{field}.file");
    let location_field = || format!("{field}.location");
    let nameless = location.starts_with("builtin://") || location.starts_with("sha256:");
    if file.is_empty() && !nameless {
        report.missing(file_field(), "the package's file must be given");
    }
    if file.chars().any(char::is_control) || file.split('/').any(|part| part == "..") {
        report.invalid(file_field(), "it must be a path without .. and control characters", file);
    }
    if let Some(rule) = location_rule(location) {
        report.invalid(location_field(), rule, location);
    }
    if let Some(requested) = location.strip_prefix("sha256:").and_then(|hex| hex.parse().ok()) {
        *digest = Some(requested);
    }
    let Some(digest) = digest else { return };
    if !facts.stores(digest) {
        let message = "the gateway does not store this package; upload it first: isthmus package upload";
        report.add(location_field(), Reason::PackageMissing, message, &location);
    } else if file.is_empty() {
        // Interpreters and class loaders go by the name: a package that is given without one has the one that it came with.
        *file = facts.file(digest);
    }
}

/// The rule that a package's location breaks, if it breaks one.
fn location_rule(location: &str) -> Option<&'static str> {
    if location.is_empty() {
        return None;
    }
    if let Some(hex) = location.strip_prefix("sha256:") {
        let digest = hex.parse::<isthmus_model::name::Digest>().is_ok();
        return (!digest).then_some("sha256: must be followed by 64 hexadecimal digits");
    }
    let Some((scheme, rest)) = location.split_once("://") else {
        return Some(
            "it must be sha256:…, function://, sink:// or source://tenant/namespace/name@version, builtin://name or an http(s) URL; upload local files first",
        );
    };
    if rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("it must not contain blanks or control characters");
    }
    match scheme.to_ascii_lowercase().as_str() {
        "function" | "sink" | "source" => {
            let parts = rest.split('/').count() == 3 && rest.split('/').all(|part| !part.is_empty());
            let version = rest.matches('@').count() <= 1 && !rest.ends_with('@') && !rest.contains("/@");
            (!parts || !version)
                .then_some("a package must be tenant/namespace/name, optionally with @version")
        }
        "builtin" => {
            (rest.is_empty() || rest.contains('/')).then_some("builtin:// must be followed by a name")
        }
        "http" | "https" => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or("");
            host.is_empty().then_some("the URL must name a host")
        }
        _ => Some(
            "packages come from sha256:, function://, sink://, source://, builtin://, http:// or https:// only",
        ),
    }
}

fn log(log: Option<&LogConfig>, report: &mut Report) {
    let Some(log) = log else { return };
    let LogConfig { level, rotate_policy, format, config_map, java_config_file_type } = log;
    report.one_of("spec.runtime.log.level", level, LEVELS);
    report.one_of("spec.runtime.log.rotatePolicy", rotate_policy, ROTATIONS);
    report.one_of("spec.runtime.log.format", format, FORMATS);
    report.one_of("spec.runtime.log.javaConfigFileType", java_config_file_type, LOG_FILES);
    if let Some(config_map) = config_map {
        report.key_ref("spec.runtime.log.configMap", config_map);
    }
}
