//! `kubectl` and `helm`, called as a person would call them: witnesses that are no part of Isthmus.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::{ExitStatus, Stdio},
};

use tokio::{io::AsyncWriteExt, process::Command};

/// A call was not answered as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be made.
    #[error("cannot run {command}")]
    Run {
        /// What was typed.
        command: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// It was refused.
    #[error("{command} ended with {status}: {said}")]
    Refused {
        /// What was typed.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        said: String,
    },
}

/// A client program of the cluster with what every call of it begins with.
#[derive(Debug, Clone)]
pub struct Client {
    name: &'static str,
    /// The program and its first arguments.
    call: Vec<OsString>,
}

impl Client {
    pub(super) fn new(name: &'static str, call: Vec<OsString>, kubeconfig: &Path) -> Self {
        let mut call = call;
        call.extend(["--kubeconfig".into(), kubeconfig.into()]);
        Self { name, call }
    }

    /// Calls it; what it prints on standard output is the answer.
    pub async fn call(&self, arguments: &[impl AsRef<OsStr>]) -> Result<String, Error> {
        self.call_with(arguments, "").await
    }

    /// Calls it with something on its standard input.
    pub async fn call_with(&self, arguments: &[impl AsRef<OsStr>], input: &str) -> Result<String, Error> {
        let typed = || self.typed(arguments);
        let mut words = self.call.iter();
        let program = words.next().map_or_else(|| OsStr::new(self.name), OsString::as_os_str);
        let mut child = Command::new(program)
            .args(words)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Error::Run { command: typed(), source })?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input closes it, which is no concern of ours.
            let _closed = stdin.write_all(input.as_bytes()).await;
        }
        let output =
            child.wait_with_output().await.map_err(|source| Error::Run { command: typed(), source })?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let said = format!("{said}{}", String::from_utf8_lossy(&output.stderr)).trim_end().to_owned();
        Err(Error::Refused { command: typed(), status: output.status, said })
    }

    fn typed(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy().into_owned());
        [self.name.to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}
