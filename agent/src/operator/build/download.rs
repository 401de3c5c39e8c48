//! How the package comes into the pod: by a tool of the image before the instance starts, or by a container before it.

use isthmus_model::component::{Runtime, Spec};
use isthmus_model::package::PackageRef;

use super::connection::Connection;
use super::shell::word;

/// Where the downloader puts the file.
pub(super) const DIRECTORY: &str = "/pulsar/download";

/// What fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tools {
    /// `pulsarctl`, else `pulsar-admin`.
    pub(super) pulsarctl: bool,
    /// `wget`.
    pub(super) wget: bool,
}

impl Tools {
    /// What the image of an instance holds: as the resource says, or as the name of a known image says.
    pub(super) fn of(spec: &Spec) -> Self {
        let kubernetes = &spec.kubernetes;
        // Images of the generic runtime are always such.
        let known = slim(&kubernetes.image) || matches!(spec.runtime, Some(Runtime::Generic { .. }));
        Self { pulsarctl: known || kubernetes.image_has_pulsarctl, wget: known || kubernetes.image_has_wget }
    }

    /// The downloader's image has both.
    pub(super) const BOTH: Self = Self { pulsarctl: true, wget: true };
}

/// Whether an image is one of those that have pulsarctl and wget instead of Pulsar's own tools.
fn slim(image: &str) -> bool {
    image.split("pulsar-functions-").skip(1).any(|rest| {
        let family = ["pulsarctl-", "sn-", "generic-"].iter().find_map(|family| rest.strip_prefix(family));
        family.is_some_and(|rest| {
            ["java", "python", "go", "nodejs", "base"]
                .iter()
                .any(|language| rest.strip_prefix(language).is_some_and(|rest| rest.starts_with("-runner")))
        })
    })
}

/// Whether the location is fetched without Pulsar.
pub(super) fn is_http(location: &str) -> bool {
    location.starts_with("http://") || location.starts_with("https://")
}

/// Whether the location is one of Pulsar's package service.
pub(super) fn is_pulsar_package(location: &str) -> bool {
    ["function://", "sink://", "source://"].iter().any(|scheme| location.starts_with(scheme))
}

/// The command that fetches `package` to `target`, or nothing if the image has the file.
pub(super) fn command(
    package: &PackageRef,
    target: &str,
    tools: Tools,
    from: &Connection<'_>,
) -> Option<String> {
    let location = package.location.as_str();
    if location.is_empty() {
        return None;
    }
    let (source, target) = (word(location), word(target));
    if is_http(location) && tools.wget {
        return Some(format!("wget {source} -O {target}"));
    }
    let tool = if tools.pulsarctl { from.pulsarctl() } else { from.pulsar_admin() };
    Some(if is_pulsar_package(location) {
        format!("{tool} packages download {source} --path {target}")
    } else {
        format!("{tool} functions download --path {source} --destination-file {target}")
    })
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Where the instance finds a file that the downloader fetched: the same path within `/pulsar`.
pub(super) fn rebased(path: &str) -> String {
    if path.starts_with("/pulsar/") {
        path.to_owned()
    } else {
        format!("/pulsar/{}", path.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slim_images_are_known_by_their_names() {
        assert!(slim("registry.example.org/x/pulsar-functions-pulsarctl-java-runner:3"));
        assert!(slim("pulsar-functions-sn-go-runner"));
        assert!(!slim("streamnative/pulsar-functions-java-runner:2"));
        assert!(!slim(""));
    }

    #[test]
    fn a_fetched_file_stays_within_the_distribution() {
        for (path, at) in [("x.jar", "/pulsar/x.jar"), ("/a/b", "/pulsar/a/b"), ("/pulsar/c", "/pulsar/c")] {
            assert_eq!(rebased(path), at);
        }
    }
}
