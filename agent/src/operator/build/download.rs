//! How the package comes into the pod: by a tool of the image before the instance starts, or by a container before it.
//!
//! | location | who gives it | tool |
//! |---|---|---|
//! | `sha256:…` | the agent of this cluster | wget, and what comes is compared with the digest |
//! | `http(s)://…` | a web server | wget, else as below |
//! | anything else | Pulsar | pulsarctl or pulsar-admin |

use isthmus_model::component::{Runtime, Spec};
use isthmus_model::name::Digest;
use isthmus_model::package::PackageRef;

use super::Prepared;
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

/// Whether the instance's own container fetches the package.
pub(super) fn in_the_instance(prepared: &Prepared<'_>) -> bool {
    let runtime = prepared.component.spec.runtime.as_ref();
    !prepared.downloads_before() && runtime.is_some_and(|runtime| !runtime.package().location.is_empty())
}

/// Where the instance finds its package.
pub(super) fn path(prepared: &Prepared<'_>, package: &PackageRef) -> String {
    let generic = matches!(prepared.component.spec.runtime, Some(Runtime::Generic { .. }));
    if prepared.pods.init_containers && !generic {
        rebased(&package.file)
    } else if prepared.pods.restricted() && in_the_instance(prepared) {
        // Where it would be in the image nothing can be written.
        format!("{DIRECTORY}/{}", file_name(&package.file))
    } else {
        package.file.clone()
    }
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
    packages_url: &str,
) -> Option<String> {
    let location = package.location.as_str();
    if location.is_empty() {
        return None;
    }
    let (source, target) = (word(location), word(target));
    if let Some(digest) = package.requested_digest() {
        return Some(by_digest(digest, &target, packages_url));
    }
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

/// From this cluster's agent, and verified. The agent may be away for a moment, or fetch the package itself just now. Images have
/// wget and sha256sum, if only those of BusyBox: neither may be told what the other's does not know.
fn by_digest(digest: Digest, target: &str, packages_url: &str) -> String {
    let source = word(&format!("{}/packages/{digest}", packages_url.trim_end_matches('/')));
    format!(
        "for pause in 1 2 4 8 0; do wget {source} -O {target} && break; sleep $pause; done && \
         {{ sha256sum < {target} | grep -q ^{digest} || {{ echo 'the package is not the one with the digest {digest}'; exit 1; }}; }}"
    )
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

    /// Runs the command with a `wget` that answers from a file, as a pod's shell does.
    fn fetched(bytes: &[u8], digest: Digest) -> (bool, Vec<u8>) {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("served"), bytes).unwrap();
        let wget = format!("#!/bin/sh\ntest \"$1\" = http://agent:1/packages/{digest} && cp served \"$3\"\n");
        std::fs::write(path("wget"), wget).unwrap();
        std::fs::set_permissions(path("wget"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let script = by_digest(digest, "'it is.jar'", "http://agent:1/");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("{script} && echo instance")]).current_dir(directory.path());
        let output =
            shell.env("PATH", format!("{}:/usr/bin:/bin", directory.path().display())).output().unwrap();
        assert!(output.status.success() == output.stdout.ends_with(b"instance\n"), "{output:?}");
        (output.status.success(), std::fs::read(path("it is.jar")).unwrap())
    }

    #[test]
    fn an_instance_starts_with_the_bytes_that_the_digest_names_and_with_no_others() {
        use sha2::Digest as _;
        let digest = Digest(sha2::Sha256::digest(b"code").into());
        assert_eq!(fetched(b"code", digest), (true, b"code".to_vec()));
        assert_eq!(fetched(b"other code", digest), (false, b"other code".to_vec()));
    }

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
