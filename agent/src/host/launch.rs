//! Starting one instance.
//!
//! ```text
//! lease ▶ secrets ▶ package ▶ directory, link, files, environment ▶ record (durable) ▶ guard ▶ opened secrets ▶ its state.json
//! ```
//!
//! An agent may die anywhere in this. Before the record nothing was started; after it, whatever was started carries the
//! instance's mark in its environment and is found by that.

mod files;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use isthmus_model::assignment::Assignment;
use isthmus_model::component::Component;
use isthmus_model::reason::Reason;
use isthmus_sealing::{PrivateKey, Values};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::command::{self, Command, Input, Refused};
use super::config::Config;
use super::distribution::Distribution;
use super::failed::Failed;
use super::gone::make_sure_it_is_gone;
use super::hold::{Running, running};
use super::lease_file::LeaseFile;
use super::nar;
use super::process::MARK;
use super::record::{self, InstanceDir, Record};
use super::secrets;
use crate::target::Packages;

pub(super) use files::file_name;
use files::{Files, Needs};

/// What every start on this host needs.
#[derive(Debug)]
pub(crate) struct Host {
    /// The target's configuration.
    pub(crate) config: Config,
    /// The directory that outlives the agent; an absolute path.
    pub(crate) data: PathBuf,
    /// What is installed, as far as is known now.
    pub(crate) distribution: watch::Sender<Arc<Distribution>>,
    /// See [`STARTS`].
    pub(crate) starts: Semaphore,
    /// Until when what must have one owner at most may run.
    pub(crate) lease: LeaseFile,
    /// Opens secrets that travelled sealed.
    pub(crate) key: PrivateKey,
}

/// Everything that the guard and the instance read is written.
struct Ready {
    command: Command,
    /// What is not written, and handed over instead.
    sealed: Values,
}

/// Instances that are being started at the same time, counted until their guards run. Each writes and syncs a handful of files on a
/// thread of its own, and more at once would only wait for the same disk.
pub(crate) const STARTS: usize = 8;

/// One start.
#[derive(Debug)]
pub(crate) struct Launch {
    /// What shall run.
    pub(crate) assignment: Arc<Assignment>,
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
        Arc::clone(&self.distribution.borrow())
    }

    /// Starts an instance. Ends early, with nothing started, when it is called off before it has its turn.
    ///
    /// What waits here, for the package or for its turn, holds little: there may be thousands.
    pub(crate) async fn launch<P: Packages>(
        self: Arc<Self>,
        launch: Launch,
        packages: P,
        called_off: CancellationToken,
    ) -> Result<Running, Failed> {
        let waiting = async {
            let component = decode(&launch.assignment)?;
            let (needs, leased) = (Needs::of(&component), component.has_single_owner());
            drop(component);
            let files = Box::pin(needs.find(&self.distribution(), &packages)).await?;
            if leased {
                self.lease.lasts().await;
            }
            let turn = self.starts.acquire().await;
            Ok((files, leased, turn.map_err(|error| Failed::start("cannot wait for a turn", &error))?))
        };
        let Some(ready) = called_off.run_until_cancelled(waiting).await else {
            return Err(Failed { reason: Reason::Pending, message: "the start was called off".into() });
        };
        let (files, leased, _turn) = ready?;
        Box::pin(self.start(launch, files, leased)).await
    }

    async fn start(self: &Arc<Self>, launch: Launch, files: Files, leased: bool) -> Result<Running, Failed> {
        let (host, directory) = (Arc::clone(self), launch.directory.clone());
        // Files are written and synced here, so not on a thread that serves others.
        let prepared = tokio::task::spawn_blocking(move || host.prepare(&launch, &files)).await;
        let ready = prepared.map_err(|error| Failed::start("cannot prepare the instance", &error))??;
        self.spawn(&directory, ready, leased).await
    }

    /// Writes everything that the guard and the instance read; the record last.
    fn prepare(&self, launch: &Launch, files: &Files) -> Result<Ready, Failed> {
        let Launch { assignment, index, record, directory } = launch;
        let mut component = decode(assignment)?;
        nar::complete(&mut component, &files.code.path)
            .map_err(|error| Failed::start("cannot start the connector", &error))?;
        let component = &component;
        let secrets = secrets::open(assignment, &self.key)
            .and_then(|sealed| secrets::read(&component.spec, self.config.secrets.as_deref(), sealed))
            .map_err(|error| Failed::new(unavailable(&error), "cannot start the instance", &error))?;
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
        files.code.link(&code).map_err(io)?;
        if let (Some(found), Some(to)) = (&files.transform, &transform) {
            found.link(to).map_err(io)?;
        }
        std::fs::create_dir_all(directory.files()).map_err(io)?;
        for (name, text) in &command.files {
            record::write(&directory.files(), name, text.as_bytes()).map_err(io)?;
        }
        let mut environment = self.config.environment.clone();
        // The guard lets what it reads here stand.
        environment.retain(|name, _| secrets.sealed.get(name).is_none());
        environment.extend(command.env.clone());
        environment.insert(MARK.to_owned(), directory.path().to_string_lossy().into_owned());
        directory.environment(&environment).map_err(io)?;
        directory.begin(record).map_err(io)?;
        Ok(Ready { command, sealed: secrets.sealed })
    }

    /// Starts the guard and waits until it says who runs.
    async fn spawn(
        &self,
        directory: &InstanceDir,
        Ready { command, sealed }: Ready,
        leased: bool,
    ) -> Result<Running, Failed> {
        let distribution = self.distribution();
        let runner = distribution.runner.as_ref();
        let runner =
            runner.map_err(|message| Failed { reason: Reason::StartFailed, message: message.clone() })?;
        let log = &self.config.log;
        let mut guard = tokio::process::Command::new(runner);
        guard.arg("guard").arg("--dir").arg(directory.path());
        if leased {
            guard.arg("--lease").arg(self.lease.path());
        }
        if sealed.is_empty() {
            guard.stdin(Stdio::null());
        } else {
            guard.arg("--more-variables").stdin(Stdio::piped());
        }
        let mut guard = guard
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
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failed::start(&format!("cannot start {}", runner.display()), &error))?;
        if let Some(mut input) = guard.stdin.take() {
            // A guard that does not read it to its end says itself what became of the start.
            let _told = input.write_all(&variables(&sealed)).await;
        }
        drop(sealed);
        // Both arms only look; the guard lives on when this is dropped, and is found by its mark.
        let outcome = tokio::select! {
            running = running(directory) => running,
            status = guard.wait() => Err(guard_ended(directory, status)),
        };
        if outcome.is_err() {
            make_sure_it_is_gone(directory).await;
        }
        outcome
    }
}

/// What a secret that is not to be had means.
fn unavailable(error: &secrets::Error) -> Reason {
    match error {
        secrets::Error::Sealed(_) | secrets::Error::NotSealed(_) => Reason::SecretUnreadable,
        secrets::Error::NoDirectory { .. }
        | secrets::Error::NotAName { .. }
        | secrets::Error::Unreadable { .. } => Reason::StartFailed,
    }
}

/// As the guard takes them: a JSON object.
fn variables(sealed: &Values) -> Zeroizing<Vec<u8>> {
    let size = |(name, value): (&str, &str)| 6 * (name.len() + value.len() + 2);
    // Room for the longest form of it: a buffer that grows would leave a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(2 + sealed.iter().map(size).sum::<usize>()));
    let object: BTreeMap<&str, &str> = sealed.iter().collect();
    // Strings can always be written to memory.
    let _written = serde_json::to_writer(&mut *text, &object);
    text
}

fn decode(assignment: &Assignment) -> Result<Component, Failed> {
    isthmus_proto::convert::component::decode(&assignment.spec)
        .map_err(|error| Failed::new(Reason::Refused, "this agent cannot read the component", &error))
}

/// Why a guard ended before it said who runs.
fn guard_ended(directory: &InstanceDir, status: io::Result<ExitStatus>) -> Failed {
    match (directory.exit(), status) {
        (Ok(Some(_)), _) => Failed::ended(directory),
        (_, Ok(status)) => Failed {
            reason: Reason::StartFailed,
            message: format!("the guard ended before it started the instance ({status})"),
        },
        (_, Err(error)) => Failed::start("the guard cannot be waited for", &error),
    }
}

/// What an instance is told of its parallelism: Function Mesh says 1 unless asked for the real number, so that a change of
/// replicas restarts nothing.
pub(super) fn parallelism(component: &Component, assignment: &Assignment) -> u32 {
    if component.spec.show_precise_parallelism { assignment.replicas } else { 1 }
}
