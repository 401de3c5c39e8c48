//! Starting one instance, and making certain that one is gone.
//!
//! ```text
//! secrets ▶ package ▶ directory, link, files, environment ▶ record (durable) ▶ guard ▶ its state.json
//! ```
//!
//! An agent may die anywhere in this. Before the record nothing was started; after it, whatever was started carries the
//! instance's mark in its environment and is found by that.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use isthmus_model::assignment::Assignment;
use isthmus_model::component::{Component, Connector, Runtime};
use isthmus_model::package::PackageRef;
use isthmus_model::reason::Reason;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use super::command::{self, Command, Input, Refused};
use super::config::Config;
use super::distribution::Distribution;
use super::last_words;
use super::process::{self, Identity, MARK, Process};
use super::record::{self, Exit, ExitReason, InstanceDir, Record, State};
use super::secrets;
use crate::target::{Package, Packages};

/// An instance could not be started; nothing of it runs.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The reason word.
    pub(crate) reason: Reason,
    /// A sentence without secrets.
    pub(crate) message: String,
}

impl Failed {
    fn new(reason: Reason, attempted: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { reason, message: format!("{attempted}: {}", isthmus_daemon::chain::Chain(error)) }
    }

    fn start(attempted: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(Reason::StartFailed, attempted, error)
    }
}

/// What every start on this host needs.
#[derive(Debug)]
pub(crate) struct Host {
    /// The target's configuration.
    pub(crate) config: Config,
    /// The directory that outlives the agent; an absolute path.
    pub(crate) data: PathBuf,
    /// What is installed, as far as is known now.
    pub(crate) distribution: RwLock<Arc<Distribution>>,
}

/// One start.
#[derive(Debug)]
pub(crate) struct Launch {
    /// What shall run.
    pub(crate) assignment: Arc<Assignment>,
    /// The same, decoded.
    pub(crate) component: Component,
    /// Which instance.
    pub(crate) index: u32,
    /// What is written down of it.
    pub(crate) record: Record,
    /// Its directory.
    pub(crate) directory: InstanceDir,
}

impl Host {
    /// What is installed.
    pub(crate) fn distribution(&self) -> Arc<Distribution> {
        Arc::clone(&self.distribution.read())
    }

    /// Starts an instance. Ends early, with nothing started, when it is called off while the package is still being fetched.
    pub(crate) async fn launch<P: Packages>(
        self: Arc<Self>,
        launch: Launch,
        packages: P,
        called_off: CancellationToken,
    ) -> Result<Running, Failed> {
        let fetch = self.files(&launch, &packages);
        let Some(files) = called_off.run_until_cancelled(fetch).await else {
            return Err(Failed { reason: Reason::Pending, message: "the start was called off".into() });
        };
        let files = files?;
        let (host, directory) = (Arc::clone(&self), launch.directory.clone());
        // Files are written and synced here, so not on a thread that serves others.
        let prepared = tokio::task::spawn_blocking(move || host.prepare(&launch, &files)).await;
        let command = prepared.map_err(|error| Failed::start("cannot prepare the instance", &error))??;
        self.spawn(&directory, &command).await
    }

    /// The files of the packages that the component names.
    async fn files<P: Packages>(&self, launch: &Launch, packages: &P) -> Result<Files, Failed> {
        let spec = &launch.component.spec;
        let builtin =
            |connector: &Option<Connector>| connector.as_ref().map(|connector| connector.builtin.clone());
        let builtin = builtin(&spec.source_connector).or_else(|| builtin(&spec.sink_connector));
        let none = PackageRef::default();
        let package = spec.runtime.as_ref().map_or(&none, Runtime::package);
        let code = self.file(package, builtin.as_deref(), packages).await?;
        let transform = match &spec.transform {
            Some(transform) => Some(self.file(&transform.package, None, packages).await?),
            None => None,
        };
        Ok(Files { code, transform })
    }

    async fn file<P: Packages>(
        &self,
        package: &PackageRef,
        builtin: Option<&str>,
        packages: &P,
    ) -> Result<Found, Failed> {
        if let Some(digest) = package.digest {
            let found = packages.package(digest).await;
            let found =
                found.map_err(|error| Failed::new(Reason::PackageUnavailable, "no package", &error))?;
            return Ok(Found {
                path: found.path().to_path_buf(),
                name: file_name(package),
                _pin: Some(found),
            });
        }
        let path = self.distribution().file(package, builtin);
        let path = path.map_err(|message| Failed { reason: Reason::PackageUnavailable, message })?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Found { name: name.unwrap_or_else(|| file_name(package)), path, _pin: None })
    }

    /// Writes everything that the guard and the instance read; the record last.
    fn prepare(&self, launch: &Launch, files: &Files) -> Result<Command, Failed> {
        let Launch { assignment, component, index, record, directory } = launch;
        let secrets = secrets::read(&component.spec, self.config.secrets.as_deref())
            .map_err(|error| Failed::start("cannot start the instance", &error))?;
        let details = isthmus_dialects::function_details(component, parallelism(component, assignment));
        let io = |error: io::Error| Failed::start("cannot write the instance's directory", &error);
        let code = directory.package().join(&files.code.name);
        let transform =
            files.transform.as_ref().map(|found| directory.path().join("transform").join(&found.name));
        let nars = self.data.join("nars");
        let command = command::build(&Input {
            assignment,
            component,
            details: &details,
            index: *index,
            ports: record.ports,
            distribution: &self.distribution(),
            secrets: &secrets,
            package: &code,
            transform: transform.as_deref(),
            files: &directory.files(),
            logs: &directory.path().join("logs"),
            nars: &nars,
        });
        let command = command.map_err(|Refused { reason, message }| Failed { reason, message })?;
        std::fs::create_dir_all(&nars).map_err(io)?;
        link(&files.code.path, &code).map_err(io)?;
        if let (Some(found), Some(to)) = (&files.transform, &transform) {
            link(&found.path, to).map_err(io)?;
        }
        std::fs::create_dir_all(directory.files()).map_err(io)?;
        for (name, text) in &command.files {
            record::write(&directory.files(), name, text.as_bytes()).map_err(io)?;
        }
        let mut environment = self.config.environment.clone();
        environment.extend(command.env.clone());
        environment.insert(MARK.to_owned(), directory.path().to_string_lossy().into_owned());
        directory.environment(&environment).map_err(io)?;
        directory.begin(record).map_err(io)?;
        Ok(command)
    }

    /// Starts the guard and waits until it says who runs.
    async fn spawn(&self, directory: &InstanceDir, command: &Command) -> Result<Running, Failed> {
        let distribution = self.distribution();
        let runner = distribution.runner.as_ref();
        let runner =
            runner.map_err(|message| Failed { reason: Reason::StartFailed, message: message.clone() })?;
        let log = &self.config.log;
        let mut guard = tokio::process::Command::new(runner)
            .arg("guard")
            .arg("--dir")
            .arg(directory.path())
            .args(["--grace", &self.config.stop_grace.as_secs().to_string()])
            .args(["--log-bytes", &log.file_size.as_u64().to_string()])
            .args(["--log-files", &log.files.to_string()])
            .arg("--")
            .arg(&command.program)
            .args(&command.args)
            .current_dir(directory.path())
            // Nothing of the agent's own environment may reach the user's code.
            .env_clear()
            .env(MARK, directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failed::start(&format!("cannot start {}", runner.display()), &error))?;
        // Both arms only look; the guard lives on when this is dropped, and is found by its mark.
        let outcome = tokio::select! {
            running = running(directory) => running,
            status = guard.wait() => Err(guard_ended(directory, status)),
        };
        match outcome {
            Ok(running) => Ok(running),
            Err(failed) => {
                make_sure_it_is_gone(directory).await;
                Err(failed)
            }
        }
    }
}

/// An instance that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// The hold on its guard.
    pub(crate) guard: Process,
    /// The program.
    pub(crate) child: Identity,
}

/// The package files of one start.
#[derive(Debug)]
struct Files {
    code: Found,
    transform: Option<Found>,
}

/// A file, and the name under which the instance shall see it.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    name: String,
    /// Keeps the cache from removing it before it is linked.
    _pin: Option<Package>,
}

/// Longer than a guard needs to start on a host that is very busy.
const GUARD_DEADLINE: Duration = Duration::from_secs(20);

/// Waits until the guard of this directory says that it runs, and takes hold of it.
pub(crate) async fn running(directory: &InstanceDir) -> Result<Running, Failed> {
    let look = async {
        loop {
            match directory.state() {
                Ok(Some(state)) => return hold(&state),
                Ok(None) => {}
                Err(error) => return Err(Failed::start("cannot read the guard's state", &error)),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let late = || Failed {
        reason: Reason::StartFailed,
        message: format!("the guard says nothing for {GUARD_DEADLINE:?}"),
    };
    let state = tokio::time::timeout(GUARD_DEADLINE, look).await;
    match state {
        Ok(Ok(Some(running))) => Ok(running),
        Ok(Ok(None)) => Err(ended(directory)),
        Ok(Err(failed)) => Err(failed),
        Err(_) => Err(late()),
    }
}

/// The guard that the state names, if it is alive.
pub(crate) fn hold(state: &State) -> Result<Option<Running>, Failed> {
    let guard =
        Process::find(state.guard).map_err(|error| Failed::start("cannot take hold of the guard", &error))?;
    Ok(guard.map(|guard| Running { guard, child: state.child }))
}

/// Why a guard ended before it said who runs.
fn guard_ended(directory: &InstanceDir, status: io::Result<ExitStatus>) -> Failed {
    match (directory.exit(), status) {
        (Ok(Some(_)), _) => ended(directory),
        (_, Ok(status)) => Failed {
            reason: Reason::StartFailed,
            message: format!("the guard ended before it started the instance ({status})"),
        },
        (_, Err(error)) => Failed::start("the guard cannot be waited for", &error),
    }
}

/// The instance was started and is over already.
fn ended(directory: &InstanceDir) -> Failed {
    let start_failed = matches!(directory.exit(), Ok(Some(Exit { reason: ExitReason::StartFailed, .. })));
    let reason = if start_failed { Reason::StartFailed } else { Reason::BackOff };
    Failed { reason, message: last_words::of(directory) }
}

/// Returns when nothing that carries the instance's mark is alive, killing what is.
pub(crate) async fn make_sure_it_is_gone(directory: &InstanceDir) {
    loop {
        let own = directory.path().to_path_buf();
        let left = tokio::task::spawn_blocking(move || kill_marked(&own)).await;
        match left {
            Ok(Ok(0)) => return,
            Ok(Ok(_)) => {}
            // Certainty is what is promised, so that there is nothing to do but to look again.
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot see which processes are left of {}", directory.path().display());
            }
            Err(error) => {
                tracing::error!(%error, "looking for what is left of {} failed", directory.path().display());
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills what is left of an instance; returns how many processes that were.
fn kill_marked(directory: &Path) -> io::Result<usize> {
    let marked = process::marked()?;
    let own: Vec<_> = marked.into_iter().filter(|(_, mark)| mark == directory).collect();
    for (identity, _) in &own {
        identity.kill()?;
    }
    Ok(own.len())
}

/// What an instance is told of its parallelism: Function Mesh says 1 unless asked for the real number, so that a change of
/// replicas restarts nothing.
pub(super) fn parallelism(component: &Component, assignment: &Assignment) -> u32 {
    if component.spec.show_precise_parallelism { assignment.replicas } else { 1 }
}

/// The file's name as the runtime expects it; a Python module's name matters, for example.
pub(super) fn file_name(package: &PackageRef) -> String {
    let named = Path::new(&package.file).file_name().map(|name| name.to_string_lossy().into_owned());
    named.unwrap_or_else(|| "package".to_owned())
}

/// Gives the file a second name, which the cache cannot take away; a copy where the file system is another.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let Some(directory) = to.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => std::fs::create_dir_all(directory)?,
    }
    match std::fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => std::fs::copy(from, to).map(drop),
        other => other,
    }
}
