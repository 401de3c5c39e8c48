//! Stories told with the real CLI against a real gateway, as transcripts: what is typed, what is printed, how it ends.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use isthmus_tests::Federation;
use isthmus_tests::fixture::name;

const GREET: &str = "\
apiVersion: compute.functionmesh.io/v1alpha1
kind: Function
metadata: { name: greet }
spec:
  golang: { go: /pulsar/absent }
  input: { topics: [persistent://public/default/names] }
  output: { topic: persistent://public/default/greetings }
  pulsar: { pulsarConfig: pulsar }
  resources: { requests: { cpu: 100m, memory: 128Mi }, limits: { cpu: 100m, memory: 128Mi } }
";

/// Commands and what came of them.
struct Transcript<'f> {
    federation: &'f Federation,
    text: String,
}

impl<'f> Transcript<'f> {
    fn new(federation: &'f Federation) -> Self {
        Self { federation, text: String::new() }
    }

    /// Types a command, with something on its standard input, and writes down both of its outputs and its exit code.
    async fn type_with(&mut self, command: &str, input: &str) -> Result<()> {
        let arguments: Vec<_> = command.split_whitespace().collect();
        let output = self.federation.cli().output(&arguments, input).await?;
        let code = output.status.code().context("it ended by a signal")?;
        writeln!(self.text, "$ isthmus {command}")?;
        for said in [&output.stdout, &output.stderr] {
            for line in std::str::from_utf8(said)?.lines() {
                self.text.push_str(&settled(line));
                self.text.push('\n');
            }
        }
        writeln!(self.text, "[exit {code}]\n")?;
        Ok(())
    }

    async fn type_in(&mut self, command: &str) -> Result<()> {
        self.type_with(command, "").await
    }
}

/// A line without what differs from run to run: identities, times, addresses, and the widths of columns that hold them.
fn settled(line: &str) -> String {
    let begin = line.len() - line.trim_start().len();
    let mut settled = line[..begin].to_owned();
    let words = line.trim_start().split("  ").filter(|cell| !cell.is_empty());
    let cells: Vec<String> = words
        .map(|cell| cell.trim_start().split(' ').map(settled_word).collect::<Vec<_>>().join(" "))
        .collect();
    settled.push_str(cells.join("  ").trim_end());
    settled
}

fn settled_word(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_age = || {
        let number = core.trim_end_matches(|c: char| c.is_ascii_lowercase());
        matches!(&core[number.len()..], "ms" | "s" | "m" | "h") && number.parse::<f64>().is_ok()
    };
    let is_time = || core.len() > 15 && core.starts_with("20") && core.contains('T') && core.contains(':');
    let to = if core.parse::<uuid::Uuid>().is_ok() {
        "UID"
    } else if is_time() {
        "TIME"
    } else if core.contains("127.0.0.1:2") || core.contains("localhost:2") {
        "ADDRESS"
    } else if core.starts_with("isthmus-join-1") {
        "TOKEN"
    } else if is_age() {
        "AGE"
    } else {
        return word.to_owned();
    };
    word.replace(core, to)
}

#[tokio::test]
async fn a_function_is_applied_looked_at_explained_and_deleted() -> Result<()> {
    let federation = Federation::builder().start().await?;
    let mut story = Transcript::new(&federation);
    story.type_with("apply -f - --dry-run", GREET).await?;
    story.type_with("apply -f -", GREET).await?;
    story.type_with("apply -f -", GREET).await?;
    story.type_in("get functions").await?;
    story.type_in("get functions -o name").await?;
    story.type_in("describe function greet").await?;
    story.type_in("explain function greet").await?;
    story.type_with("apply -f -", &GREET.replace("names", "others")).await?;
    story.type_in("delete function greet --wait").await?;
    story.type_in("get functions").await?;
    insta::assert_snapshot!(story.text);
    federation.end().await
}

#[tokio::test]
async fn an_exit_code_tells_a_refusal_from_wrong_usage_from_a_gateway_that_is_away() -> Result<()> {
    let mut federation = Federation::builder().start().await?;
    let mut story = Transcript::new(&federation);
    let bad = GREET.replace("greetings", "names").replace("input:", "replica: 2\n  input:");
    story.type_with("apply -f -", &bad).await?;
    story.type_with("apply -f -", "kind: [").await?;
    story.type_in("get function nobody").await?;
    story.type_in("delete function nobody").await?;
    story.type_with("apply -f - --wait --timeout 1s", GREET).await?;
    story.type_in("get functions --shape round").await?;
    let text = story.text;
    federation.kill_gateway().await?;
    let mut story = Transcript { federation: &federation, text };
    story.type_in("get functions").await?;
    insta::assert_snapshot!(story.text);
    federation.resume_gateway().await?;
    federation.end().await
}

#[tokio::test]
async fn clusters_are_joined_linked_looked_at_and_cordoned() -> Result<()> {
    let federation = Federation::builder().agents(["east"]).unbounded().start().await?;
    let mut story = Transcript::new(&federation);
    story.type_in("get clusters").await?;
    story.type_in("cluster cordon east").await?;
    story.type_in("get clusters").await?;
    story.type_with("apply -f -", GREET).await?;
    story.type_in("explain function greet").await?;
    story.type_in("cluster uncordon east").await?;
    federation
        .until_component("to be placed", name("greet"), |found| {
            found.status.as_ref().is_some_and(|status| !status.clusters.is_empty())
        })
        .await?;
    story.type_in("get functions -o name").await?;
    story.type_in("delete function greet").await?;
    story.type_in("cluster join-token west --labels region=west").await?;
    insta::assert_snapshot!(story.text);
    federation.until_gone(name("greet")).await?;
    federation.end().await
}
