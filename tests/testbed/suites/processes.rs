//! Nothing outlives the program that wanted it, however that program ends.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use isthmus_testbed::{Cache, Run, process::Program, wait::until};
use tokio::process::Command;

/// Set for the child that this test binary starts of itself.
const CHILD: &str = "ISTHMUS_TESTBED_CHILD";

const SOON: Duration = Duration::from_secs(10);

/// A server of many processes, one of which ignores SIGTERM. It writes a line when its trap is set.
const STUBBORN: &str = "trap '' TERM; echo up; while :; do sleep 60 & wait; done";

/// The same, with a process that leaves its session.
const SCATTERED: &str = "trap '' TERM; setsid sleep 60 & echo up; while :; do sleep 60 & wait; done";

async fn said_up(log: &Path) -> anyhow::Result<()> {
    let look = async || match std::fs::read_to_string(log) {
        Ok(text) if text.contains("up") => Ok(()),
        other => Err(format!("{other:?}")),
    };
    Ok(until("the server to be up", SOON, look).await?)
}

/// Processes that carry this directory in their environment.
fn processes_of(dir: &Path) -> Vec<u32> {
    let mark = format!("ISTHMUS_RUN_DIR={}", dir.display()).into_bytes();
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    all.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        environment.split(|byte| *byte == 0).any(|variable| variable == mark).then_some(pid)
    })
    .collect()
}

#[tokio::test]
async fn a_stop_ends_a_server_in_good_order() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let run = Run::create(&Cache::at(dir.path()), "server")?;
    let log = run.dir().join("log");
    let server = Program::new("sh").args(["-c", "trap 'echo bye; exit 0' TERM; echo up; sleep 60 & wait"]);
    let server = server.start(&run, &log)?;
    said_up(&log).await?;

    let status = server.stop(SOON).await?;

    assert!(status.success(), "{status}");
    assert!(std::fs::read_to_string(&log)?.contains("bye"));
    assert_eq!(processes_of(run.dir()), [0_u32; 0]);
    Ok(())
}

#[tokio::test]
async fn a_server_that_ignores_the_stop_is_killed_and_told_of() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let run = Run::create(&Cache::at(dir.path()), "server")?;
    let log = run.dir().join("log");
    let server = Program::new("sh").args(["-c", STUBBORN]).start(&run, &log)?;
    said_up(&log).await?;

    let error = server.stop(Duration::from_millis(200)).await.expect_err("it does not heed TERM");

    assert!(error.to_string().starts_with("sh did not end within 0 s of SIGTERM and was killed"), "{error}");
    assert_eq!(processes_of(run.dir()), [0_u32; 0]);
    Ok(())
}

#[tokio::test]
async fn a_drop_leaves_neither_processes_nor_files() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let run = Run::create(&Cache::at(dir.path()), "server")?;
    let log = run.dir().join("log");
    let path = run.dir().to_owned();
    let server = Program::new("sh").args(["-c", SCATTERED]).start(&run, &log)?;
    said_up(&log).await?;
    assert!(!processes_of(&path).is_empty());

    drop(server);
    drop(run);

    assert_eq!(processes_of(&path), [0_u32; 0]);
    assert!(!path.exists());
    Ok(())
}

#[tokio::test]
async fn a_server_does_not_outlive_a_program_that_is_killed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "processes::owner_of_a_server", "--nocapture"])
        .env(CHILD, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let runs = dir.path().join("runs");
    let run: PathBuf = until("the owner to have a server", SOON, async || {
        let found = std::fs::read_dir(&runs).ok().and_then(|mut all| all.next()?.ok());
        let run = found.map(|entry| entry.path()).ok_or("no run directory")?;
        if std::fs::read_to_string(run.join("log")).is_ok_and(|log| log.contains("up")) {
            Ok(run)
        } else {
            Err("no server")
        }
    })
    .await?;
    assert!(!processes_of(&run).is_empty());

    owner.kill().await?;

    until("processes and directory to be gone", SOON, async || {
        let left = processes_of(&run);
        if left.is_empty() && !run.exists() { Ok(()) } else { Err(format!("{left:?}, {}", run.exists())) }
    })
    .await?;
    Ok(())
}

/// Not a test by itself: the program that the test above kills.
#[tokio::test]
async fn owner_of_a_server() -> anyhow::Result<()> {
    let Some(dir) = std::env::var_os(CHILD) else { return Ok(()) };
    let run = Run::create(&Cache::at(PathBuf::from(dir)), "server")?;
    let log = run.dir().join("log");
    let mut server = Program::new("sh").args(["-c", SCATTERED]).start(&run, &log)?;
    server.ended().await?;
    Ok(())
}
