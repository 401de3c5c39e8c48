//! `cargo xtask cluster`: Kubernetes clusters for people who want to look around, several side by side.
//!
//! A cluster ends with the program that started it. So `up` starts one more of ourselves that stays, and returns when the
//! cluster is ready; `down` tells that one to end. Whether it is there is told by a lock, which the kernel lets go of however
//! it ends.

use std::{
    fs::File,
    io::{Seek, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use isthmus_testbed::{
    Cache, fs,
    kubernetes::{self, Cluster},
};
use tokio::signal::unix::{SignalKind, signal};

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts a cluster and prints where its kubeconfig is.
    Up {
        /// What it is called here.
        name: String,
    },
    /// Ends a cluster; nothing of it is left.
    Down {
        /// What it is called here.
        name: String,
    },
    /// Prints where a cluster's kubeconfig is: `export KUBECONFIG=$(cargo xtask cluster kubeconfig NAME)`.
    Kubeconfig {
        /// What it is called here.
        name: String,
    },
    /// What `up` leaves running.
    #[command(hide = true)]
    Keep {
        /// What it is called here.
        name: String,
    },
}

/// Does it; errors say what to do.
pub(crate) fn run(command: Command) -> Result<bool> {
    match command {
        Command::Up { name } => up(&Kept::named(name)?),
        Command::Down { name } => down(&Kept::named(name)?),
        Command::Kubeconfig { name } => {
            let kept = Kept::named(name)?;
            ensure!(kept.runs()?, "{0} does not run; start it by: cargo xtask cluster up {0}", kept.name);
            println!("{}", kept.kubeconfig()?.display());
            Ok(true)
        }
        Command::Keep { name } => keep(&Kept::named(name)?),
    }
}

/// How long a cluster may take to come or go on a busy machine, all being provided.
const PATIENCE: Duration = Duration::from_mins(5);

/// What there is of a cluster beside the cluster: a locked file with the keeper's process id, its log, a kubeconfig.
struct Kept {
    name: String,
    dir: PathBuf,
}

impl Kept {
    fn named(name: String) -> Result<Self> {
        let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        ensure!(plain && !name.is_empty(), "{name:?} is no name for a cluster: use letters, digits and -");
        let dir = Cache::from_env()?.root().join("clusters").join(&name);
        Ok(Self { name, dir })
    }

    /// Its keeper holds this locked.
    fn lock(&self) -> Result<File> {
        std::fs::create_dir_all(&self.dir).with_context(|| format!("create {}", self.dir.display()))?;
        let path = self.dir.join("keeper");
        let opened = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        opened.with_context(|| format!("open {}", path.display()))
    }

    fn runs(&self) -> Result<bool> {
        Ok(self.dir.exists() && self.lock()?.try_lock().is_err())
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Where the kubeconfig is noted once the cluster is ready.
    fn ready(&self) -> PathBuf {
        self.dir.join("ready")
    }

    fn kubeconfig(&self) -> Result<PathBuf> {
        let noted = std::fs::read_to_string(self.ready());
        Ok(PathBuf::from(noted.with_context(|| format!("{} is still starting", self.name))?))
    }

    fn keeper(&self) -> Result<String> {
        std::fs::read_to_string(self.dir.join("keeper")).context("read the keeper's process id")
    }
}

fn up(kept: &Kept) -> Result<bool> {
    ensure!(!kept.runs()?, "{} runs already", kept.name);
    kubernetes::nodes_can_run()?;
    // Provided here, where progress is seen.
    let cache = Cache::from_env()?;
    tokio::runtime::Runtime::new()?.block_on(cache.node_images())?;
    std::fs::create_dir_all(&kept.dir).with_context(|| format!("create {}", kept.dir.display()))?;
    forget(&kept.ready())?;
    let log = File::create(kept.log()).with_context(|| format!("create {}", kept.log().display()))?;
    let mut keeper = std::process::Command::new(std::env::current_exe()?)
        .args(["cluster", "keep", &kept.name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0) // Ctrl-C is for whoever runs at the terminal then
        .spawn()
        .context("start what keeps the cluster")?;
    let began = Instant::now();
    while !kept.ready().exists() {
        if keeper.try_wait()?.is_some() || began.elapsed() > PATIENCE {
            let _ = keeper.kill();
            bail!(
                "{} did not start; the end of {}:\n{}",
                kept.name,
                kept.log().display(),
                fs::tail(&kept.log(), 10)
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    eprintln!(
        "{} is ready after {:.1} s; end it by: cargo xtask cluster down {0}",
        kept.name,
        began.elapsed().as_secs_f64()
    );
    println!("{}", kept.kubeconfig()?.display());
    Ok(true)
}

fn down(kept: &Kept) -> Result<bool> {
    if kept.runs()? {
        let keeper = kept.keeper()?;
        let told = std::process::Command::new("kill").arg(keeper.trim()).status().context("run kill")?;
        ensure!(told.success(), "process {keeper}, which keeps {}, cannot be told to end", kept.name);
        let began = Instant::now();
        while kept.runs()? {
            ensure!(began.elapsed() < PATIENCE, "{} does not end; see {}", kept.name, kept.log().display());
            std::thread::sleep(Duration::from_millis(50));
        }
    } else {
        eprintln!("{} does not run", kept.name);
    }
    match std::fs::remove_dir_all(&kept.dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", kept.dir.display()))
        }
        _ => Ok(true),
    }
}

/// Starts the cluster, notes that it is ready, and ends it when told to.
fn keep(kept: &Kept) -> Result<bool> {
    let mut lock = kept.lock()?;
    lock.try_lock().with_context(|| format!("{} runs already", kept.name))?;
    lock.set_len(0)?;
    lock.rewind()?;
    write!(lock, "{}", std::process::id())?;
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    runtime.block_on(async {
        let mut end = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        tokio::select! {
            // Whatever runs by then ends with the values that hold it.
            _ = end.recv() => Ok(true),
            kept = Box::pin(hold(kept)) => kept,
        }
    })
}

async fn hold(kept: &Kept) -> Result<bool> {
    let cluster = Cluster::start(&Cache::from_env()?).await?;
    let path = cluster.control_plane().kubeconfig().path();
    let partial = kept.ready().with_extension("partial");
    std::fs::write(&partial, path.as_os_str().as_encoded_bytes())
        .context("note that the cluster is ready")?;
    std::fs::rename(&partial, kept.ready()).context("note that the cluster is ready")?;
    std::future::pending().await
}

fn forget(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
