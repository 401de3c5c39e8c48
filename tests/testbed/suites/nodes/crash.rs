//! A cluster does not outlive the program that started it, and the next one finds the machine as if it had never been.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use isthmus_testbed::{Cache, NodeImages, kubernetes, wait::until};
use serde_json::json;
use tokio::process::Command;

use super::cluster;

/// Where the program below tells of its cluster; it does nothing unless it is told.
const CHILD: &str = "ISTHMUS_TESTBED_CLUSTER_OWNER";

const SOON: Duration = Duration::from_mins(2);

#[tokio::test]
async fn a_cluster_does_not_outlive_a_program_that_is_killed() -> anyhow::Result<()> {
    let cache = Cache::from_env()?;
    cache.node_images().await?;
    let dir = tempfile::tempdir()?;
    let told = dir.path().join("told");
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "nodes::crash::owner_of_a_cluster", "--nocapture"])
        .env(CHILD, &told)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let run = until("the owner to have a cluster with a pod", SOON, async || {
        std::fs::read_to_string(&told).map(PathBuf::from)
    })
    .await?;
    assert!(!seen_by(&run).is_empty());

    owner.kill().await?;

    until("processes, mounts and files to be gone", SOON, async || {
        let left = seen_by(&run);
        if left.is_empty() && !run.exists() { Ok(()) } else { Err(format!("{left:?}, {}", run.exists())) }
    })
    .await?;
    drop(cluster(&cache).await?);
    let left = kubernetes::leftovers()?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Not a test by itself: the program that the test above kills.
#[tokio::test]
async fn owner_of_a_cluster() -> anyhow::Result<()> {
    let Some(told) = std::env::var_os(CHILD) else { return Ok(()) };
    let cache = Cache::from_env()?;
    let cluster = cluster(&cache).await?;
    let kubectl = cluster.control_plane().kubectl();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "left", "namespace": "default" },
        "spec": { "containers": [{ "name": "main", "image": NodeImages::pause() }] },
    });
    kubectl.call_with(&["apply", "-f", "-"], &pod.to_string()).await?;
    kubectl.call(&["wait", "--for=condition=Ready", "pod/left", "--timeout=100s"]).await?;
    let partial = Path::new(&told).with_extension("partial");
    std::fs::write(&partial, cluster.run().dir().as_os_str().as_encoded_bytes())?;
    std::fs::rename(partial, told)?;
    std::future::pending::<()>().await;
    Ok(())
}

/// The processes that belong to a run, or see a mount of it, or work in it.
fn seen_by(run: &Path) -> Vec<u32> {
    let run = run.as_os_str().as_encoded_bytes();
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    all.filter_map(|entry| {
        let process = entry.ok()?;
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let of = |what: &str| std::fs::read(process.path().join(what)).unwrap_or_default();
        let names = |content: Vec<u8>| content.windows(run.len()).any(|part| part == run);
        let ours = pid != std::process::id();
        (ours && (names(of("environ")) || names(of("mountinfo")))).then_some(pid)
    })
    .collect()
}
