//! One round of looking at instances from outside: their control services, and Pulsar's view of their topics.
//!
//! Questions are asked at the same time, but never more than a bounded number of them, and each has a deadline. A topic is asked
//! for once a round, however many instances are attached to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use isthmus_model::pulsar_cluster::PulsarCluster;

use super::attached::{Access, Attachments, Client, Spoken, Watch, access, connections_of};
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

/// An admin API that is asked this round, by its place in the list of them, and a topic or a pattern.
type About = (usize, String);

/// What a round has found out about one instance before Pulsar is asked.
struct Found {
    question: Question,
    status: Option<Status>,
    own: BTreeSet<SocketAddr>,
    /// Whom to ask about it; `None` when it is not asked for, or nobody can be asked.
    asked: Option<Asked>,
}

#[derive(Clone, Copy)]
enum Asked {
    /// The admin API with this place in the list.
    Api(usize),
    /// Nobody but the instance itself.
    Itself,
}

/// Asks all questions. `secrets` is where the components' credentials are.
pub(crate) async fn look<A: Attachments>(
    questions: Vec<Question>,
    attachments: Arc<A>,
    poll: Poll,
    secrets: Option<PathBuf>,
) -> Vec<Answer> {
    let bound = poll.concurrency.max(1);
    let ports: Vec<u16> = questions.iter().map(|question| question.port).collect();
    let statuses = futures::stream::iter(ports)
        .map(|port| async move { control::status(port, poll.timeout).await.ok() })
        .buffered(bound)
        .collect::<Vec<_>>()
        .await;
    let asked = questions.into_iter().zip(statuses).collect();
    // Reads `/proc` and files with credentials, so not on a thread that serves others.
    let read = tokio::task::spawn_blocking(move || find_out(asked, secrets.as_deref())).await;
    let Ok((found, apis)) = read else { return Vec::new() };
    let pulsar = Pulsar { apis: &apis, attachments: &*attachments, poll, bound };
    let topics = pulsar.topics(abouts(&found, |watch| &watch.patterns)).await;
    let by_name = abouts(&found, |watch| &watch.topics);
    let by_pattern =
        topics.iter().flat_map(|((api, _), topics)| topics.iter().map(|topic| (*api, topic.clone())));
    let clients = pulsar.clients(by_name.into_iter().chain(by_pattern).collect()).await;
    found.into_iter().map(|found| answer(found, &topics, &clients)).collect()
}

/// Whoever does not answer yet is not attached either, and its topics need not be asked for.
fn find_out(asked: Vec<(Question, Option<Status>)>, secrets: Option<&Path>) -> (Vec<Found>, Vec<Access>) {
    let mut apis: Vec<Access> = Vec::new();
    let found = asked.into_iter().map(|(question, status)| {
        let runs = status.as_ref().is_some_and(|status| status.running);
        if !runs || question.watch.is_empty() {
            return Found { question, status, own: BTreeSet::new(), asked: None };
        }
        let credentials = question.watch.credentials.as_deref();
        let asked = match access(&question.pulsar.admin_url, credentials, secrets) {
            Ok(Spoken::ByPlugin) => Some(Asked::Itself),
            Ok(Spoken::As(access)) => {
                let known = apis.iter().position(|known| *known == access);
                Some(Asked::Api(known.unwrap_or_else(|| {
                    apis.push(access);
                    apis.len() - 1
                })))
            }
            Err(error) => {
                let problem = isthmus_daemon::chain::Chain(&error).to_string();
                tracing::debug!(component.uid = %question.key.uid, problem, "Pulsar cannot be asked as the component");
                None
            }
        };
        let own = connections_of(question.pid);
        Found { question, status, own, asked }
    });
    (found.collect(), apis)
}

/// What the instances that somebody can be asked about have of one kind, each once.
fn abouts(found: &[Found], of: fn(&Watch) -> &Vec<String>) -> BTreeSet<About> {
    let each = found.iter().filter_map(|found| match found.asked? {
        Asked::Api(api) => Some(of(&found.question.watch).iter().map(move |text| (api, text.clone()))),
        Asked::Itself => None,
    });
    each.flatten().collect()
}

/// Pulsar's admin APIs, asked at most so many questions at a time. What could not be asked is left out of the answers.
struct Pulsar<'a, A> {
    apis: &'a [Access],
    attachments: &'a A,
    poll: Poll,
    bound: usize,
}

impl<A: Attachments> Pulsar<'_, A> {
    /// The topics of each pattern.
    async fn topics(&self, patterns: BTreeSet<About>) -> BTreeMap<About, Vec<String>> {
        let ask = |about: About| async move {
            let asked = self.attachments.matching(self.apis.get(about.0)?, &about.1);
            let told = self.told(&about, asked).await?;
            Some((about, told))
        };
        let all = futures::stream::iter(patterns).map(ask).buffer_unordered(self.bound);
        all.filter_map(std::future::ready).collect().await
    }

    /// Who is attached to each topic.
    async fn clients(&self, topics: BTreeSet<About>) -> BTreeMap<About, Vec<Client>> {
        let ask = |about: About| async move {
            let asked = self.attachments.attached(self.apis.get(about.0)?, &about.1);
            let told = self.told(&about, asked).await?;
            Some((about, told))
        };
        let all = futures::stream::iter(topics).map(ask).buffer_unordered(self.bound);
        all.filter_map(std::future::ready).collect().await
    }

    async fn told<T>(&self, about: &About, asked: impl Future<Output = Result<T, A::Error>>) -> Option<T> {
        match tokio::time::timeout(self.poll.timeout, asked).await {
            Ok(Ok(told)) => Some(told),
            Ok(Err(error)) => {
                let problem = isthmus_daemon::chain::Chain(&error).to_string();
                tracing::debug!(
                    topic = about.1,
                    problem,
                    "Pulsar does not say who is attached to {}",
                    about.1
                );
                None
            }
            Err(_) => None,
        }
    }
}

fn answer(
    found: Found,
    topics: &BTreeMap<About, Vec<String>>,
    clients: &BTreeMap<About, Vec<Client>>,
) -> Answer {
    let Found { question: Question { key, watch, .. }, status, own, asked } = found;
    let attached = match (&status, asked) {
        (Some(status), _) if status.running && watch.is_empty() => Some(true),
        (Some(status), Some(Asked::Itself)) if status.running => Some(true),
        (Some(status), Some(Asked::Api(api))) if status.running => {
            let sees = |topic: &String| {
                clients.get(&(api, topic.clone())).map(|clients| watch.sees(clients, key.index, &own))
            };
            let by_name = watch.topics.iter().map(sees);
            let by_pattern = watch.patterns.iter().map(|pattern| {
                let topics = topics.get(&(api, pattern.clone()))?;
                if topics.is_empty() { Some(true) } else { any(topics.iter().map(sees)) }
            });
            all(by_name.chain(by_pattern))
        }
        (Some(status), None) if status.running => None,
        _ => Some(false),
    };
    Answer { key, status, attached }
}

/// One that is not so decides; else one that could not be asked leaves it open.
fn all(each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let both = |known, one| match (known, one) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        (Some(true), Some(true)) => Some(true),
    };
    each.reduce(both).unwrap_or(Some(true))
}

/// One that is so decides; else one that could not be asked leaves it open.
fn any(each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let either = |known, one| match (known, one) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (None, _) | (_, None) => None,
        (Some(false), Some(false)) => Some(false),
    };
    each.reduce(either).unwrap_or(Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_must_see_the_instance_and_of_a_pattern_one() {
        let (yes, no, open) = (Some(true), Some(false), None);
        assert_eq!(all([yes, yes].into_iter()), yes);
        assert_eq!(all([yes, no].into_iter()), no);
        assert_eq!(all([open, no].into_iter()), no);
        assert_eq!(all([open, yes].into_iter()), open);
        assert_eq!(any([no, yes].into_iter()), yes);
        assert_eq!(any([open, yes].into_iter()), yes);
        assert_eq!(any([open, no].into_iter()), open);
        assert_eq!(any([no, no].into_iter()), no);
    }
}
