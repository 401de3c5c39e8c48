use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::host::config;

/// A distribution with these files, and an interpreter that ends with this code.
fn installed(files: &[&str], code: i32) -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        let path = directory.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let program = directory.path().join("interpreter");
    std::fs::write(&program, format!("#!/bin/sh\necho 'no module named pulsar' >&2; exit {code}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let pulsar = config::Pulsar {
        home: Some(directory.path().to_path_buf()),
        java: Some(program.clone()),
        python: Some(program.clone()),
    };
    let config = Config { pulsar, runner: Some(program), ..Config::default() };
    (directory, config)
}

const BOTH: [&str; 2] = ["instances/java-instance.jar", "instances/python-instance/python_instance_main.py"];

#[tokio::test]
async fn what_is_installed_and_answers_is_declared() {
    let (_directory, config) = installed(&BOTH, 0);
    assert_eq!(Distribution::probe(&config).await.capabilities(), ["java", "python", "go"]);
    let (_directory, config) = installed(&BOTH[..1], 0);
    assert_eq!(Distribution::probe(&config).await.capabilities(), ["java", "go"]);
}

#[tokio::test]
async fn an_interpreter_that_fails_is_not_declared_and_the_remedy_is_named() {
    let (_directory, config) = installed(&BOTH, 1);
    let distribution = Distribution::probe(&config).await;
    assert_eq!(distribution.capabilities(), ["go"]);
    let missing = distribution.python.unwrap_err();
    assert!(missing.contains("no module named pulsar") && missing.contains("pulsar-client"), "{missing}");
}

#[tokio::test]
async fn without_a_distribution_or_a_runner_it_is_said_what_to_set() {
    let bare = Config { runner: Some("/nowhere/isthmus-runner".into()), ..Config::default() };
    let distribution = Distribution::probe(&bare).await;
    assert_eq!(distribution.capabilities(), Vec::<String>::new());
    assert!(distribution.java.unwrap_err().contains("target.host.pulsar.home"));
    assert!(distribution.runner.unwrap_err().contains("target.host.runner"));
}

#[tokio::test]
async fn connectors_are_found_by_name_whatever_version_the_file_carries() {
    let nars = [
        "connectors/pulsar-io-kafka-4.0.7.nar",
        "connectors/pulsar-io-kafka-4.0.8.nar",
        "connectors/pulsar-io-kafka-connect-adaptor-4.0.8.nar",
        "functions/exclaimer.nar",
        "examples/api-examples.jar",
    ];
    let files: Vec<&str> = BOTH.into_iter().chain(nars).collect();
    let (directory, config) = installed(&files, 0);
    let distribution = Distribution::probe(&config).await;
    let found = |location: &str, file: &str| {
        let package = PackageRef { file: file.into(), location: location.into(), digest: None };
        distribution
            .file(&package, None)
            .map(|path| path.strip_prefix(directory.path()).unwrap().to_path_buf())
    };
    assert_eq!(found("builtin://kafka", "").unwrap(), Path::new("connectors/pulsar-io-kafka-4.0.8.nar"));
    assert_eq!(found("builtin://exclaimer", "").unwrap(), Path::new("functions/exclaimer.nar"));
    assert_eq!(
        found("", "/pulsar/examples/api-examples.jar").unwrap(),
        Path::new("examples/api-examples.jar")
    );
    assert!(found("builtin://nothing", "").unwrap_err().contains("connectors"));
    assert!(found("http://example.com/f.jar", "f.jar").unwrap_err().contains("upload"));
}
