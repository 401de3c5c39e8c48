//! One round of looking at instances from outside: their control services, and Pulsar's view of their topics.
//!
//! Questions are asked at the same time, but never more than a bounded number of them, and each has a deadline. A topic is asked
//! for once a round, however many instances are attached to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use isthmus_model::pulsar_cluster::PulsarCluster;

use super::attached::{Attachments, Client, Watch, connections_of};
use super::config::Poll;
use super::control::{self, Status};
use super::record::Key;

/// What is asked about one instance.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Which.
    pub(crate) key: Key,
    /// Port of its control service.
    pub(crate) port: u16,
    /// Its process.
    pub(crate) pid: i32,
    /// Where to look for it.
    pub(crate) watch: Arc<Watch>,
    /// Which Pulsar cluster to ask.
    pub(crate) pulsar: Arc<PulsarCluster>,
}

/// What was seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Which.
    pub(crate) key: Key,
    /// What it said; `None` when it did not answer.
    pub(crate) status: Option<Status>,
    /// Whether Pulsar sees it on every topic; `None` when that could not be asked.
    pub(crate) attached: Option<bool>,
}

/// A topic of a Pulsar cluster, by its admin URL.
type Topic = (String, String);

/// Asks all questions.
pub(crate) async fn look<A: Attachments>(
    questions: Vec<Question>,
    attachments: Arc<A>,
    poll: Poll,
) -> Vec<Answer> {
    let bound = poll.concurrency.max(1);
    let ports: Vec<u16> = questions.iter().map(|question| question.port).collect();
    let statuses = futures::stream::iter(ports)
        .map(|port| async move { control::status(port, poll.timeout).await.ok() })
        .buffered(bound)
        .collect::<Vec<_>>()
        .await;
    let asked: Vec<(Question, Option<Status>)> = questions.into_iter().zip(statuses).collect();
    // Whoever does not answer yet is not attached either, and its topics need not be asked for.
    let running = asked.iter().filter(|(_, status)| status.as_ref().is_some_and(|status| status.running));
    let running: Vec<&Question> = running.map(|(question, _)| question).collect();
    let topics: BTreeSet<Topic> = running.iter().flat_map(|question| topics_of(question)).collect();
    let pids: Vec<i32> = running
        .iter()
        .filter(|question| !question.watch.topics.is_empty())
        .map(|question| question.pid)
        .collect();
    let (clients, connections) = tokio::join!(clients(topics, &*attachments, poll, bound), connections(pids));
    asked.into_iter().map(|(question, status)| answer(&question, status, &clients, &connections)).collect()
}

fn topics_of(question: &Question) -> impl Iterator<Item = Topic> {
    question.watch.topics.iter().map(|topic| (question.pulsar.admin_url.clone(), topic.clone()))
}

/// Who is attached to each topic; topics that could not be asked for are left out.
async fn clients<A: Attachments>(
    topics: BTreeSet<Topic>,
    attachments: &A,
    poll: Poll,
    bound: usize,
) -> BTreeMap<Topic, Vec<Client>> {
    let ask = |topic: Topic| async move {
        match tokio::time::timeout(poll.timeout, attachments.attached(&topic.0, &topic.1)).await {
            Ok(Ok(clients)) => Some((topic, clients)),
            Ok(Err(error)) => {
                let problem = isthmus_daemon::chain::Chain(&error).to_string();
                tracing::debug!(topic = topic.1, problem, "Pulsar does not say who is attached to a topic");
                None
            }
            Err(_) => None,
        }
    };
    futures::stream::iter(topics)
        .map(ask)
        .buffer_unordered(bound)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// The local ends of each process's connections. Reads `/proc`, so not on a thread that serves others.
async fn connections(pids: Vec<i32>) -> BTreeMap<i32, BTreeSet<SocketAddr>> {
    if pids.is_empty() {
        return BTreeMap::new();
    }
    let read = move || pids.into_iter().map(|pid| (pid, connections_of(pid))).collect();
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

fn answer(
    question: &Question,
    status: Option<Status>,
    clients: &BTreeMap<Topic, Vec<Client>>,
    connections: &BTreeMap<i32, BTreeSet<SocketAddr>>,
) -> Answer {
    let none = BTreeSet::new();
    let own = connections.get(&question.pid).unwrap_or(&none);
    let attached = match &status {
        Some(status) if status.running => topics_of(question)
            .map(|topic| Some(question.watch.sees(clients.get(&topic)?, question.key.index, own)))
            // One topic without it decides; else one that could not be asked for leaves it open.
            .try_fold(true, |all, sees| match sees {
                Some(false) => Err(Some(false)),
                Some(true) => Ok(all),
                None => Err(None),
            })
            .map_or_else(|undecided| undecided, Some),
        _ => Some(false),
    };
    Answer { key: question.key, status, attached }
}
