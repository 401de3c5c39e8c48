//! `apply`: packages first, then each text in one call, then perhaps waiting.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use futures::StreamExt as _;
use isthmus_proto::component::v1::manifest_result::Outcome;
use isthmus_proto::component::v1::{
    ApplyManifestRequest, ApplyManifestResponse, ChangeResponse, Component, Dialect, ManifestResult,
    SealedSecrets, UnknownFields,
};
use isthmus_proto::failure;

use super::{Context, now, package};
use crate::args::{Apply, Files, Format};
use crate::client::{Bound, Client};
use crate::environment::variable;
use crate::error::Error;
use crate::manifest::{self, Stored, Text};
use crate::output::{self, Output};
use crate::secrets;
use crate::view;
use crate::wait::{self, Goal, Target};

pub(super) async fn run(context: &Context<'_>, args: Apply) -> Result<Output, Error> {
    let Apply { files, package, secrets, dry_run, waiting } = args;
    let values = secrets::read(&secrets, variable)?;
    let texts = manifest::read(&files)?;
    if package.is_some() && texts.len() != 1 {
        return Err(Error::Usage("--package goes with exactly one file".to_owned()));
    }
    let client = context.client().await?;
    let mut sending = Sending { context, client: &client, files: &files, dry_run, delete: false };
    let mut done = Done::default();
    let mut ready = Vec::with_capacity(texts.len());
    let sealed = if values.is_empty() {
        vec![BTreeMap::new(); texts.len()]
    } else {
        let warn = |name: &str, warning: &str| sending.warn(name, warning);
        secrets::seal_all(&client, &texts, &files, &values, warn).await?
    };
    drop(values);
    for (text, sealed) in texts.into_iter().zip(sealed) {
        // One file that is refused does not keep the others from being applied, as with kubectl.
        match sending.prepare(text, package.as_deref()).await {
            Ok((text, dialect)) => ready.push(Ready { text, dialect, sealed }),
            Err(error) => done.errors.push(error),
        }
    }
    sending.send(ready, &mut done).await?;
    finish(context, &client, done, Goal::Ready, (waiting.wait && !dry_run).then_some(waiting.timeout)).await
}

/// What came of it so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) components: Vec<Component>,
    pub(super) errors: Vec<Error>,
}

/// Prints what is printed at the end, waits, and tells what failed.
pub(super) async fn finish(
    context: &Context<'_>,
    client: &Client,
    done: Done,
    goal: Goal,
    timeout: Option<std::time::Duration>,
) -> Result<Output, Error> {
    let Done { components, mut errors } = done;
    if matches!(context.format(), Format::Json | Format::Yaml) {
        let single = components.len() == 1;
        context.print(&Output::Listings(vec![view::component::listing(&components, now(), true, single)]))?;
    }
    if let Some(timeout) = timeout {
        let targets = components.iter().filter_map(Target::of).collect();
        match wait::until(client, goal, targets, timeout).await {
            Ok(()) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(Output::Nothing) } else { Err(Error::Several(errors)) }
}

/// Texts that are under way at once.
const AT_ONCE: usize = 32;

/// Cuts texts into runs in which no component is named twice: of two texts that name the same one, the later shall win.
fn apart<T>(texts: Vec<T>, names: impl Fn(&T) -> Vec<String>) -> Vec<Vec<T>> {
    let mut runs: Vec<Vec<T>> = Vec::new();
    let mut seen = HashSet::new();
    for text in texts {
        let own = names(&text);
        let again = own.iter().any(|name| seen.contains(name));
        if again {
            seen.clear();
        }
        seen.extend(own);
        match runs.last_mut() {
            Some(run) if !again => run.push(text),
            _ => runs.push(vec![text]),
        }
    }
    runs
}

/// A text that can be sent.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) text: Text,
    pub(super) dialect: Dialect,
    /// The secrets that travel with its components, by their full names.
    pub(super) sealed: BTreeMap<String, SealedSecrets>,
}

/// How texts are sent.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) client: &'a Client,
    pub(super) files: &'a Files,
    pub(super) dry_run: bool,
    pub(super) delete: bool,
}

impl Sending<'_> {
    /// Uploads the packages that a text needs and puts their locations into it.
    async fn prepare(&mut self, text: Text, package: Option<&Path>) -> Result<(Text, Dialect), Error> {
        let dialect = Dialect::from(self.files.dialect);
        let Some(local) = manifest::local(&text, self.files, package)? else { return Ok((text, dialect)) };
        let mut stored: BTreeMap<_, Stored> = BTreeMap::new();
        for path in local.files() {
            let found = package::store(self.client, &path, self.dry_run).await?;
            stored.insert(path, found);
        }
        let bytes = local.into_text(|path| stored.get(path).cloned())?;
        Ok((Text { bytes, ..text }, Dialect::Kubernetes))
    }

    /// Sends texts, several at once, and prints what came of each of their components, in their order.
    pub(super) async fn send(&self, texts: Vec<Ready>, done: &mut Done) -> Result<(), Error> {
        for group in apart(texts, |ready| manifest::names(&ready.text, self.files)) {
            let asked = group.into_iter().map(|ready| self.ask(ready));
            let mut answers = futures::stream::iter(asked).buffered(AT_ONCE);
            while let Some((name, answer)) = answers.next().await {
                self.told(&name, answer, done)?;
            }
        }
        Ok(())
    }

    async fn ask(&self, ready: Ready) -> (String, Result<ApplyManifestResponse, Error>) {
        let Ready { text: Text { name, bytes, .. }, dialect, sealed } = ready;
        let request = ApplyManifestRequest {
            manifest: bytes,
            dialect: dialect.into(),
            unknown_fields: UnknownFields::from(self.files.validate).into(),
            dry_run: self.dry_run,
            request_id: String::new(),
            delete: self.delete,
            sealed_secrets: sealed,
        };
        let answer = self.client.manifests(Bound::Unary).apply_manifest(request).await;
        let answer = self.client.answer(self.doing(&name), answer);
        (name, answer)
    }

    fn doing(&self, name: &str) -> String {
        if self.delete { format!("deleting {name}") } else { format!("applying {name}") }
    }

    fn told(
        &self,
        name: &str,
        answer: Result<ApplyManifestResponse, Error>,
        done: &mut Done,
    ) -> Result<(), Error> {
        let ApplyManifestResponse { results, warnings } = match answer {
            Ok(response) => response,
            Err(error) => {
                done.errors.push(error);
                return Ok(());
            }
        };
        for warning in warnings {
            self.warn(name, &warning);
        }
        for ManifestResult { document, outcome } in results {
            match outcome {
                Some(Outcome::Change(change)) => self.changed(name, change, done)?,
                Some(Outcome::Rejected(status)) => {
                    let doing = format!("{}, document {document}", self.doing(name));
                    done.errors.push(self.client.error(doing, failure::unembedded(&status)));
                }
                // A newer gateway has another kind of outcome.
                None => {
                    self.warn(name, &format!("document {document}: the gateway did not say what came of it"));
                }
            }
        }
        Ok(())
    }

    /// Prints one change.
    pub(super) fn changed(&self, name: &str, change: ChangeResponse, done: &mut Done) -> Result<(), Error> {
        change.warnings.iter().for_each(|warning| self.warn(name, warning));
        let text = match self.context.format() {
            Format::Table | Format::Wide if self.dry_run => view::change::plan(&change),
            Format::Table | Format::Wide => view::change::line(&change, false),
            Format::Name => change.component.iter().map(|it| view::component::reference(it) + "\n").collect(),
            Format::Json | Format::Yaml => String::new(),
        };
        done.components.extend(change.component);
        output::write(text.as_bytes())
    }

    fn warn(&self, name: &str, warning: &str) {
        output::say(&format!("{} {name}: {warning}", self.context.style.warning("warning:")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_waits_for_an_earlier_one_that_names_the_same_component() {
        let names = |text: &&str| text.split(' ').map(str::to_owned).collect();
        let runs = apart(vec!["a b", "c", "d a", "c", "c"], names);
        assert_eq!(runs, [vec!["a b", "c"], vec!["d a", "c"], vec!["c"]]);
        assert_eq!(apart(Vec::new(), names), Vec::<Vec<&str>>::new());
    }
}
