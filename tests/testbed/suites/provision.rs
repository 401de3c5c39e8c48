//! What is provided is what its accessors say it is.

use std::process::Stdio;

use isthmus_testbed::Cache;
use tokio::process::Command;

#[tokio::test]
async fn the_distribution_holds_instances_and_examples() -> anyhow::Result<()> {
    let pulsar = Cache::from_env()?.pulsar().await?;

    for file in [
        pulsar.script("pulsar"),
        pulsar.examples_jar(),
        pulsar.python_examples().join("exclamation_function.py"),
        pulsar.java_instance(),
        pulsar.python_instance(),
    ] {
        assert!(file.is_file(), "{} is not there", file.display());
    }
    Ok(())
}

#[tokio::test]
async fn the_connector_is_a_nar() -> anyhow::Result<()> {
    let nar = std::fs::read(Cache::from_env()?.data_generator().await?)?;

    let bundled = b"META-INF/bundled-dependencies/";
    assert!(nar.windows(bundled.len()).any(|window| window == bundled));
    Ok(())
}

#[tokio::test]
async fn the_python_has_all_that_an_instance_imports() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    let instance = cache.pulsar().await?.python_instance();

    let help = Command::new(cache.python().await?.python())
        .arg(instance)
        .arg("--help")
        .stderr(Stdio::inherit())
        .output()
        .await?;

    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("--function_details"));
    Ok(())
}
