//! `isthmus`, called as a person would call it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::{io::AsyncWriteExt, process::Command};

use super::Error;

/// The CLI with a profile.
#[derive(Debug, Clone)]
pub struct Cli {
    program: PathBuf,
    config: PathBuf,
}

impl Cli {
    /// The CLI, told where its configuration file with the profile is.
    pub fn new(program: &Path, config: &Path) -> Self {
        Self { program: program.to_owned(), config: config.to_owned() }
    }

    /// The file with the profile.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// What a person puts before the command to speak to this gateway.
    pub fn shown(&self) -> String {
        format!("ISTHMUS_CONFIG={} {}", self.config.display(), self.program.display())
    }

    /// Calls it; what it prints on standard output is the answer.
    pub async fn call(&self, arguments: &[impl AsRef<OsStr>]) -> Result<String, Error> {
        self.call_with(arguments, "").await
    }

    /// Calls it with something on its standard input.
    pub async fn call_with(&self, arguments: &[impl AsRef<OsStr>], input: &str) -> Result<String, Error> {
        let output = self.output(arguments, input).await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let said = format!("{said}{}", String::from_utf8_lossy(&output.stderr)).trim_end().to_owned();
        Err(Error::Refused { command: typed(arguments), status: output.status, said })
    }

    /// Calls it; an exit code other than 0 is no error here.
    pub async fn output(&self, arguments: &[impl AsRef<OsStr>], input: &str) -> Result<Output, Error> {
        let failed = |source| Error::Run { program: typed(arguments), source };
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env("ISTHMUS_CONFIG", &self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input closes it, which is no concern of ours.
            let _closed = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await.map_err(failed)
    }
}

/// A command as it would be typed.
fn typed(arguments: &[impl AsRef<OsStr>]) -> String {
    let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy().into_owned());
    ["isthmus".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}
