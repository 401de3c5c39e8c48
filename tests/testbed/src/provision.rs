//! What servers are made of, provided once for a machine and not once for a checkout.
//!
//! An item is built by a recipe and kept under a name that holds a digest of the recipe: a changed version, coordinate or
//! build input is another item, and an item that is there is complete. It is built beside its final place and renamed, under a
//! lock, so that two runs share the cache and a run that is killed leaves nothing half made.

mod maven;
mod pulsar;
mod python;
mod go;
mod etcd;
mod kubernetes;
mod debian;
mod images;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use sha2::{Digest, Sha256};

use crate::{
    cache::Cache,
    fs::{self, Attempted},
    process::{self, Program},
    progress::Step,
    run::{Run, open_lock},
    tools::Missing,
};

pub use images::{NodeImages, ProgramImages, Server as ImageServer};
pub use kubernetes::KubernetesHome;
pub use pulsar::PulsarHome;
pub use python::PythonVenv;

/// An item could not be provided.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine lacks a tool.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The cache cannot be read or written.
    #[error("cannot keep {item} in the cache")]
    Cache {
        /// The recipe's name.
        item: String,
        /// The file system's word.
        source: fs::Error,
    },
    /// A tool could not be run.
    #[error("cannot provide {item}")]
    Tool {
        /// The recipe's name.
        item: String,
        /// Why not.
        source: process::Error,
    },
    /// A tool failed.
    #[error("cannot provide {item}: {tool} ended with {status}; it said:\n{tail}")]
    Failed {
        /// The recipe's name.
        item: String,
        /// The program that failed.
        tool: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its output.
        tail: String,
    },
    /// A tool ended well without making what it should.
    #[error("cannot provide {item}: {} was to be made and is not there", path.display())]
    Absent {
        /// The recipe's name.
        item: String,
        /// What should be there.
        path: PathBuf,
    },
}

impl Cache {
    /// The directory that holds what `recipe` makes, made now unless it is there.
    async fn provide<R: Recipe>(&self, recipe: &R) -> Result<PathBuf, Error> {
        let failed = |source| Error::Cache { item: recipe.name().to_owned(), source };
        let items = self.root().join("items");
        let key = key(recipe);
        let item = items.join(&key);
        if item.exists() {
            return Ok(item);
        }
        fs::create_dir(&items).map_err(failed)?;
        let _lock =
            self.lock_item(recipe.name(), items.join(format!(".{key}.lock"))).await.map_err(failed)?;
        if item.exists() {
            return Ok(item); // by whoever held the lock before
        }
        let partial = items.join(format!(".{key}.partial"));
        fs::remove_dir(&partial).map_err(failed)?;
        fs::create_dir(&partial).map_err(failed)?;
        let run = Run::create(self, recipe.name()).map_err(failed)?;
        let mut workshop =
            Workshop { item: recipe.name(), run, dir: partial, step: Step::begin(recipe.title()) };
        recipe.build(&mut workshop).await?;
        std::fs::rename(&workshop.dir, &item).attempted("put in place", &item).map_err(failed)?;
        workshop.step.done();
        Ok(item)
    }

    /// Waits for another run that makes the same item, saying so.
    async fn lock_item(&self, item: &str, path: PathBuf) -> Result<File, fs::Error> {
        let lock = open_lock(&path)?;
        if lock.try_lock().is_ok() {
            return Ok(lock);
        }
        let mut waiting = Step::begin(format!("Waiting for another run that provides {item}"));
        while let Err(held) = lock.try_lock() {
            if let std::fs::TryLockError::Error(error) = held {
                return Err(error).attempted("lock", &path);
            }
            waiting.beat();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        waiting.done();
        Ok(lock)
    }
}

/// How an item is made.
trait Recipe {
    /// A short name for the cache and for errors.
    fn name(&self) -> &str;

    /// A sentence for the progress display, such as "Building etcd 3.6.4".
    fn title(&self) -> String;

    /// All that decides what comes out: coordinates, versions, the content of our own build inputs, the tools it is tied to.
    fn inputs(&self) -> Vec<String>;

    /// Makes it in `workshop.dir`, which is renamed when this succeeds and discarded when not.
    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error>;
}

/// The recipe's name and enough of its digest to tell recipes apart.
fn key(recipe: &impl Recipe) -> String {
    let mut digest = Sha256::new();
    for input in recipe.inputs() {
        digest.update(input.as_bytes());
        digest.update([0]);
    }
    let hex = hex::encode(digest.finalize());
    format!("{}-{}", recipe.name(), hex.get(..12).unwrap_or(&hex))
}

/// Where one item is being made: a directory that becomes the item, and a place for what does not stay.
struct Workshop<'a> {
    item: &'a str,
    /// Ends the tools when we end; gone with us.
    run: Run,
    dir: PathBuf,
    step: Step,
}

impl Workshop<'_> {
    /// Runs a tool to its end; its output is shown only if it fails.
    async fn run(&mut self, tool: &str, program: Program) -> Result<(), Error> {
        let failed = |source| Error::Tool { item: self.item.to_owned(), source };
        let log = self.run.dir().join("log");
        let mut process = program.start(&self.run, &log).map_err(failed)?;
        let status = loop {
            match tokio::time::timeout(Duration::from_secs(1), process.ended()).await {
                Ok(ended) => break ended.map_err(failed)?,
                Err(_) => self.step.beat(),
            }
        };
        if status.success() {
            return Ok(());
        }
        let (item, tool) = (self.item.to_owned(), tool.to_owned());
        Err(Error::Failed { item, tool, status, tail: process.log_tail() })
    }

    fn write(&self, path: &Path, content: &str) -> Result<(), Error> {
        fs::write(path, content).map_err(|source| self.refused(source))
    }

    fn refused(&self, source: fs::Error) -> Error {
        Error::Cache { item: self.item.to_owned(), source }
    }

    /// A tool's good word is not enough.
    fn must_exist(&self, path: PathBuf) -> Result<PathBuf, Error> {
        if path.exists() { Ok(path) } else { Err(Error::Absent { item: self.item.to_owned(), path }) }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;

    struct Note<'a> {
        text: &'a str,
        builds: &'a AtomicU32,
    }

    impl Recipe for Note<'_> {
        fn name(&self) -> &'static str {
            "note"
        }

        fn title(&self) -> String {
            "Writing a note".to_owned()
        }

        fn inputs(&self) -> Vec<String> {
            vec![self.text.to_owned()]
        }

        async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
            self.builds.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            workshop.write(&workshop.dir.join("text"), self.text)
        }
    }

    #[tokio::test]
    async fn an_item_is_made_once_however_many_want_it() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let builds = AtomicU32::new(0);
        let note = Note { text: "hello", builds: &builds };

        let (one, two) = tokio::join!(cache.provide(&note), cache.provide(&note));

        assert_eq!(one.unwrap(), two.unwrap());
        assert_eq!(builds.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_changed_input_is_another_item() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let builds = AtomicU32::new(0);

        let old = cache.provide(&Note { text: "old", builds: &builds }).await.unwrap();
        let new = cache.provide(&Note { text: "new", builds: &builds }).await.unwrap();

        assert_eq!(std::fs::read_to_string(old.join("text")).unwrap(), "old");
        assert_eq!(std::fs::read_to_string(new.join("text")).unwrap(), "new");
    }

    struct FailsFirst {
        tries: Cell<u32>,
    }

    impl Recipe for FailsFirst {
        fn name(&self) -> &'static str {
            "fails-first"
        }

        fn title(&self) -> String {
            "Failing at first".to_owned()
        }

        fn inputs(&self) -> Vec<String> {
            Vec::new()
        }

        async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
            self.tries.set(self.tries.get() + 1);
            let made = workshop.dir.join(format!("try-{}", self.tries.get()));
            workshop.write(&made, "")?;
            let outcome = if self.tries.get() == 1 { "echo no such mirror; exit 3" } else { "true" };
            workshop.run("sh", Program::new("sh").args(["-c", outcome])).await
        }
    }

    #[tokio::test]
    async fn a_failed_build_tells_why_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let recipe = FailsFirst { tries: Cell::new(0) };

        let error = cache.provide(&recipe).await.unwrap_err().to_string();
        let expected =
            "cannot provide fails-first: sh ended with exit status: 3; it said:\n  | no such mirror";
        assert_eq!(error, expected);

        let item = cache.provide(&recipe).await.unwrap();
        let names: Vec<_> =
            std::fs::read_dir(item).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["try-2"], "the first try's file is gone");
    }
}
