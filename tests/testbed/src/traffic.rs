//! Messages in and out of Pulsar, counted by id, by the official Python client: a witness that shares no code with Isthmus.
//!
//! A message's text is its id, a space and some words. Whatever a function does to the words, the id is still the first word of
//! what it makes of them, so that losses and duplicates are counted per message and not as a difference of totals.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::ChildStdout,
    time::{Instant, timeout_at},
};

use crate::{
    cache::Cache,
    fs, process,
    process::{Program, Supervised},
    provision::{self, PythonVenv},
    run::Run,
};

const CLIENT: &str = include_str!("../clients/traffic.py");

/// The interpreter starts, connects and looks the topic up; a busy machine takes its time.
const CONNECT: Duration = Duration::from_mins(1);

/// The witness could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client could not be provided.
    #[error("cannot have Pulsar's Python client")]
    Provision(#[source] provision::Error),
    /// Its directory could not be made.
    #[error("cannot run Pulsar's Python client")]
    Files(#[source] fs::Error),
    /// Its process could not be run.
    #[error("cannot {attempted} {topic}")]
    Process {
        /// Completes the sentence.
        attempted: &'static str,
        /// The topic.
        topic: String,
        /// Why not.
        source: Box<process::Error>,
    },
    /// It ended, or said something else, before its work was done.
    #[error("cannot {attempted} {topic}: {why}; the client's last words:\n{tail}")]
    Failed {
        /// Completes the sentence.
        attempted: &'static str,
        /// The topic.
        topic: String,
        /// What is wrong.
        why: String,
        /// The end of its log.
        tail: String,
    },
}

/// What a producer declares its messages to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schema {
    /// None: fits every topic whose schema is not enforced, but a topic that has had such a message takes no schema later.
    #[default]
    Bytes,
    /// Text, as Java functions over `String` declare their topics.
    String,
}

impl Schema {
    fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }
}

/// A number of messages to send.
#[derive(Debug, Clone)]
pub struct Load {
    /// The full name of the topic.
    pub topic: String,
    /// As what the messages are declared.
    pub schema: Schema,
    /// The begin of every id: ids are `<prefix>-000000` and up.
    pub prefix: String,
    /// How many.
    pub count: u32,
    /// Decides the words that follow the ids.
    pub seed: u64,
}

/// Runs clients.
#[derive(Debug)]
pub struct Traffic {
    python: PythonVenv,
    run: Run,
    client: PathBuf,
}

impl Traffic {
    /// Provides the client.
    pub async fn provide(cache: &Cache) -> Result<Self, Error> {
        let python = cache.python().await.map_err(Error::Provision)?;
        let run = Run::create(cache, "traffic").map_err(Error::Files)?;
        let client = run.dir().join("traffic.py");
        fs::write(&client, CLIENT).map_err(Error::Files)?;
        Ok(Self { python, run, client })
    }

    /// Sends the messages and answers their ids, in the order in which Pulsar acknowledged them. One refused message is an
    /// error, as is not being done after `patience`.
    pub async fn produce(
        &self,
        service_url: &str,
        load: &Load,
        patience: Duration,
    ) -> Result<Vec<String>, Error> {
        let count = load.count.to_string();
        let seed = load.seed.to_string();
        let arguments =
            ["produce", service_url, &load.topic, load.schema.word(), &load.prefix, &count, &seed];
        let mut client = self.client("send to", &load.topic, &arguments)?;
        let deadline = Instant::now() + patience;
        let mut sent = Vec::new();
        while let Some(line) = client.line(deadline).await? {
            match line {
                Line::Sent { sent: id } => sent.push(id),
                other => return Err(client.failed(other.to_string())),
            }
        }
        if sent.len() == load.count as usize {
            Ok(sent)
        } else {
            Err(client.failed(format!("{} of {} messages were acknowledged", sent.len(), load.count)))
        }
    }

    /// Begins to consume messages without schema from the subscription's place (a new one: from the first message), and answers
    /// once subscribed. While such a consumer lives, no schema can be added to the topic.
    pub async fn consume(
        &self,
        service_url: &str,
        topic: &str,
        subscription: &str,
    ) -> Result<Consumer, Error> {
        self.consume_as(service_url, topic, subscription, Schema::Bytes).await
    }

    /// The same, declaring what the topic holds, as needed where a function that is yet to start declares it, too.
    pub async fn consume_as(
        &self,
        service_url: &str,
        topic: &str,
        subscription: &str,
        schema: Schema,
    ) -> Result<Consumer, Error> {
        let arguments = ["consume", service_url, topic, schema.word(), subscription];
        let mut client = self.client("consume from", topic, &arguments)?;
        match client.line(Instant::now() + CONNECT).await? {
            Some(Line::Subscribed { .. }) => Ok(Consumer { client, received: Received::default() }),
            Some(other) => Err(client.failed(other.to_string())),
            None => Err(client.failed("it ended".to_owned())),
        }
    }

    fn client(&self, attempted: &'static str, topic: &str, arguments: &[&str]) -> Result<Client, Error> {
        let log = self.log();
        let program = Program::new(self.python.python()).arg("-u").arg(&self.client).args(arguments);
        let failed = |source| Error::Process { attempted, topic: topic.to_owned(), source: Box::new(source) };
        let (process, output) = program.start_piped(&self.run, &log).map_err(failed)?;
        let lines = BufReader::new(output).lines();
        Ok(Client { attempted, topic: topic.to_owned(), lines, process })
    }

    fn log(&self) -> PathBuf {
        self.run.dir().join("log")
    }

    /// Where the clients run.
    pub fn dir(&self) -> &Path {
        self.run.dir()
    }
}

/// What came out so far.
#[derive(Debug, Default)]
pub struct Received {
    by_id: BTreeMap<String, Vec<String>>,
}

impl Received {
    /// The texts that came for each id, in the order of their coming; more than one is a duplicate.
    pub fn by_id(&self) -> &BTreeMap<String, Vec<String>> {
        &self.by_id
    }

    /// How many messages came, duplicates included.
    pub fn messages(&self) -> usize {
        self.by_id.values().map(Vec::len).sum()
    }

    /// How many messages came again.
    pub fn duplicates(&self) -> usize {
        self.messages() - self.by_id.len()
    }

    /// Those of `sent` that did not come.
    pub fn missing<'a>(&self, sent: &'a [String]) -> Vec<&'a str> {
        sent.iter().map(String::as_str).filter(|id| !self.by_id.contains_key(*id)).collect()
    }

    fn add(&mut self, id: String, text: String) {
        self.by_id.entry(id).or_default().push(text);
    }
}

/// A consumer that goes on until it is dropped.
#[derive(Debug)]
pub struct Consumer {
    client: Client,
    received: Received,
}

impl Consumer {
    /// Consumes until every one of `sent` has come or `patience` is over, which is no error: [`Received`] tells what is missing.
    pub async fn collect(&mut self, sent: &[String], patience: Duration) -> Result<&Received, Error> {
        let deadline = Instant::now() + patience;
        let mut missing = self.received.missing(sent).len();
        while missing > 0 {
            match self.client.try_line(deadline).await? {
                Waited::Line(Line::Received { id, text }) => {
                    self.received.add(id, text);
                    missing = self.received.missing(sent).len();
                }
                Waited::Expired => break,
                Waited::Line(other) => return Err(self.client.failed(other.to_string())),
                Waited::End => return Err(self.client.failed("it ended".to_owned())),
            }
        }
        Ok(&self.received)
    }

    /// What came so far.
    pub fn received(&self) -> &Received {
        &self.received
    }
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Sent { sent: String },
    Refused { refused: String, why: String },
    Subscribed { subscribed: String },
    Received { id: String, text: String },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { sent } => write!(f, "it says that {sent} was sent"),
            Self::Refused { refused, why } => write!(f, "{refused} was refused ({why})"),
            Self::Subscribed { subscribed } => write!(f, "it says that it subscribed to {subscribed}"),
            Self::Received { id, .. } => write!(f, "it says that {id} came"),
        }
    }
}

#[derive(Debug)]
enum Waited {
    Line(Line),
    End,
    Expired,
}

/// A running client.
#[derive(Debug)]
struct Client {
    attempted: &'static str,
    topic: String,
    lines: Lines<BufReader<ChildStdout>>,
    process: Supervised,
}

impl Client {
    /// Its next line, `None` at its end; nothing before the deadline is an error.
    async fn line(&mut self, deadline: Instant) -> Result<Option<Line>, Error> {
        match self.try_line(deadline).await? {
            Waited::Line(line) => Ok(Some(line)),
            Waited::End => Ok(None),
            Waited::Expired => Err(self.failed("it took too long".to_owned())),
        }
    }

    async fn try_line(&mut self, deadline: Instant) -> Result<Waited, Error> {
        let line = match timeout_at(deadline, self.lines.next_line()).await {
            Err(_) => return Ok(Waited::Expired),
            Ok(Err(error)) => return Err(self.failed(format!("its output cannot be read ({error})"))),
            Ok(Ok(None)) => return Ok(Waited::End),
            Ok(Ok(Some(line))) => line,
        };
        serde_json::from_str(&line).map(Waited::Line).map_err(|_| self.failed(format!("it said {line}")))
    }

    fn failed(&self, why: String) -> Error {
        let Self { attempted, topic, .. } = self;
        Error::Failed { attempted, topic: topic.clone(), why, tail: self.process.log_tail() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_duplicates_are_told_by_id() {
        let sent: Vec<String> = ["a-0", "a-1", "a-2"].map(str::to_owned).to_vec();
        let mut received = Received::default();
        received.add("a-0".to_owned(), "a-0 amber!".to_owned());
        received.add("a-2".to_owned(), "a-2 birch!".to_owned());
        received.add("a-0".to_owned(), "a-0 amber!".to_owned());

        assert_eq!(received.missing(&sent), ["a-1"]);
        assert_eq!(received.duplicates(), 1);
        assert_eq!(received.messages(), 3);
    }
}
