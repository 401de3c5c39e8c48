//! All that is known of the share in the cluster, as the watches and the instances tell it: a value without a clock.
//!
//! ```text
//! events of watches, answers of instances ▶ Known ▶ which components changed ▶ observations
//!                                             └──▶ which instances are to be asked now
//! ```
//!
//! Pods of components that are not of this share are kept, too: their custom resource may be shown after them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use isthmus_model::component::ComponentKind;
use isthmus_model::name::Uid;
use isthmus_model::observation::Observation;
use isthmus_model::order::UnixMillis;
use isthmus_model::reason::Reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::Event;

use super::component::{Component, Instance};
use super::config::Config;
use super::counts::Counts;
use super::pod::{self, Run, pod};
use super::resource::{self, Resource};
use super::{fold, names, watch};
use crate::custom_resources::marks::Share;
use crate::custom_resources::place::Key;

/// See the module.
#[derive(Debug)]
pub(super) struct Known {
    share: Share,
    config: Config,
    components: HashMap<Arc<Key>, Component>,
    by_uid: BTreeMap<Uid, Arc<Key>>,
    /// Namespaces whose pods have all been shown.
    shown: HashSet<Box<str>>,
    /// When instances are asked next, as times since boot. An entry that its instance does not know of
    /// is out of date.
    due: BTreeSet<(Duration, Arc<Key>, u32)>,
}

/// An instance that is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) key: Arc<Key>,
    pub(super) index: u32,
    pub(super) run: Run,
    pub(super) address: Option<std::net::IpAddr>,
}

/// What came of a question; in words, where there was no answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) question: Question,
    pub(super) counts: Result<Counts, String>,
}

impl Known {
    pub(super) fn new(share: Share, config: Config) -> Self {
        Self {
            share,
            config,
            components: HashMap::new(),
            by_uid: BTreeMap::new(),
            shown: HashSet::new(),
            due: BTreeSet::new(),
        }
    }

    /// Takes in what a watch says; the components that it is about.
    pub(super) fn on(&mut self, event: watch::Event, now: Duration) -> Vec<Arc<Key>> {
        match event {
            watch::Event::Resource { kind, namespace, event } => {
                self.on_resource(kind, &namespace, *event, now)
            }
            watch::Event::Pod { namespace, event } => self.on_pod(&namespace, *event, now),
        }
    }

    /// Takes in what the watch of one kind of custom resources in one namespace says.
    fn on_resource(
        &mut self,
        kind: ComponentKind,
        namespace: &str,
        event: Event<resource::Watched>,
        now: Duration,
    ) -> Vec<Arc<Key>> {
        let key = |metadata: &ObjectMeta| {
            let name = metadata.name.as_deref()?;
            Some(Key { kind, namespace: namespace.into(), name: name.into() })
        };
        let here = move |key: &Key| key.kind == kind && *key.namespace == *namespace;
        match event {
            Event::Init => {
                let those = self.components.iter_mut().filter(|(key, _)| here(key));
                those.for_each(|(_, component)| component.listed = false);
                Vec::new()
            }
            Event::InitApply(watched) | Event::Apply(watched) => {
                let Some(key) = key(&watched.metadata).map(|key| self.intern(key)) else { return Vec::new() };
                self.see_resource(&key, &watched);
                self.ask_soon(&key, now);
                vec![key]
            }
            Event::InitDone => {
                let gone = self.components.iter().filter(|(key, component)| here(key) && !component.listed);
                let gone: Vec<Arc<Key>> = gone.map(|(key, _)| key.clone()).collect();
                for key in &gone {
                    self.lose_resource(key);
                }
                gone
            }
            Event::Delete(watched) => {
                let Some(key) = key(&watched.metadata).map(|key| self.intern(key)) else { return Vec::new() };
                self.lose_resource(&key);
                vec![key]
            }
        }
    }

    /// Takes in what the watch of pods in one namespace says.
    fn on_pod(&mut self, namespace: &str, event: Event<pod::Watched>, now: Duration) -> Vec<Arc<Key>> {
        let here = move |key: &Key| *key.namespace == *namespace;
        match event {
            Event::Init => {
                let those = self.components.iter_mut().filter(|(key, _)| here(key));
                let instances = those.flat_map(|(_, component)| component.instances.iter_mut());
                instances.for_each(|(_, instance)| instance.listed = false);
                Vec::new()
            }
            Event::InitApply(watched) | Event::Apply(watched) => {
                let Some((key, index)) = names::whose(&watched.metadata) else { return Vec::new() };
                let status = watched.status.unwrap_or_default();
                let seen = pod(names::container(key.kind), &watched.metadata, &status);
                let key = self.intern(key);
                let component = self.components.entry(key.clone()).or_default();
                let instance = component.instances.get_or_insert_with(index, || Instance::new(seen.clone()));
                instance.listed = true;
                instance.see(seen);
                self.ask_soon(&key, now);
                vec![key]
            }
            Event::InitDone => {
                self.shown.insert(namespace.into());
                let those = self.components.iter_mut().filter(|(key, _)| here(key));
                let touched = those.map(|(key, component)| {
                    let unlisted = component.instances.iter().filter(|(_, instance)| !instance.listed);
                    let gone: Vec<u32> = unlisted.map(|(index, _)| index).collect();
                    for index in gone {
                        component.instances.remove(index);
                    }
                    key.clone()
                });
                touched.collect()
            }
            Event::Delete(watched) => {
                let Some((key, index)) = names::whose(&watched.metadata) else { return Vec::new() };
                let key = self.intern(key);
                if let Some(component) = self.components.get_mut(&key) {
                    component.instances.remove(index);
                }
                vec![key]
            }
        }
    }

    /// Takes out what is to be asked now, at most so many.
    pub(super) fn questions(&mut self, now: Duration, most: usize) -> Vec<Question> {
        let mut questions = Vec::new();
        while questions.len() < most
            && self.due.first().is_some_and(|(due, ..)| *due <= now)
            && let Some((due, key, index)) = self.due.pop_first()
        {
            let component = self.components.get_mut(&key);
            let Some(instance) = component.and_then(|component| component.instances.get_mut(index)) else {
                continue;
            };
            if instance.figures.due != Some(due) {
                continue;
            }
            if instance.pod.runs {
                let (run, address) = (instance.pod.run.clone(), instance.pod.address);
                questions.push(Question { key, index, run, address });
            } else {
                instance.figures.due = None;
            }
        }
        questions
    }

    /// When the next is to be asked.
    pub(super) fn next_question(&self) -> Option<Duration> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// Takes in what came of a question. It is asked again later, if it still runs.
    pub(super) fn on_answer(&mut self, answer: Answer, now: Duration, wall: UnixMillis) -> Option<Arc<Key>> {
        let Answer { question: Question { key, index, run, .. }, counts } = answer;
        let component = self.components.get_mut(&key)?;
        let is_ours = component.resource.is_some();
        let instance = component.instances.get_mut(index)?;
        instance.figures.due = None;
        if instance.pod.run != run {
            self.ask_soon(&key, now);
            return None;
        }
        match counts {
            Ok(counts) => instance.figures.hear(counts),
            Err(problem) => instance.figures.miss(problem),
        }
        if is_ours && instance.pod.runs {
            let unheard = instance.figures.counts.is_none() && instance.is_starting(wall);
            let pace = if unheard { self.config.starting } else { self.config.ready };
            self.ask_at(&key, index, now + pace);
        }
        Some(key)
    }

    /// What there is to say of a component, if anything is.
    pub(super) fn tell(&mut self, key: &Arc<Key>, wall: UnixMillis) -> Option<Observation> {
        let component = self.components.get_mut(key)?;
        let is_known = self.shown.contains(&key.namespace) && component.is_known();
        let observation = if is_known { fold::observe(key, component, wall) } else { None };
        component.told |= observation.is_some();
        // It is gone with all that belonged to it.
        if component.instances.is_empty() && component.resource.as_ref().is_none_or(|one| one.gone) {
            if let Some(resource) = component.resource.take()
                && self.by_uid.get(&resource.uid) == Some(key)
            {
                self.by_uid.remove(&resource.uid);
            }
            self.components.remove(key);
        }
        observation
    }

    /// Where the component with this identity stands.
    pub(super) fn place(&self, uid: Uid) -> Option<Arc<Key>> {
        self.by_uid.get(&uid).cloned()
    }

    /// Why no node takes the pod of this instance, if so.
    pub(super) fn unscheduled(&self, key: &Key, instance: u32) -> Option<String> {
        let trouble = self.components.get(key)?.instances.get(instance)?.pod.trouble.as_ref()?;
        (trouble.reason == Reason::Unschedulable).then(|| trouble.message.to_string())
    }

    /// One key is kept once.
    fn intern(&self, key: Key) -> Arc<Key> {
        self.components.get_key_value(&key).map_or_else(|| Arc::new(key), |(known, _)| known.clone())
    }

    fn see_resource(&mut self, key: &Arc<Key>, watched: &resource::Watched) {
        let component = self.components.entry(key.clone()).or_default();
        component.listed = true;
        let before = component.resource.take();
        component.resource = Resource::read(&self.share, watched, before.as_ref());
        let uid = component.resource.as_ref().map(|resource| resource.uid);
        if let Some(before) = before.map(|before| before.uid).filter(|before| Some(*before) != uid) {
            self.by_uid.remove(&before);
            component.told = false;
        }
        if let Some(uid) = uid {
            self.by_uid.insert(uid, key.clone());
        }
    }

    /// It is deleted; until its pods are gone there is something to say of it.
    fn lose_resource(&mut self, key: &Arc<Key>) {
        let resource = self.components.get_mut(key).and_then(|component| component.resource.as_mut());
        if let Some(resource) = resource {
            (resource.deleted, resource.gone) = (true, true);
        }
    }

    /// Has those instances of a component of ours asked that run and are not to be asked already.
    fn ask_soon(&mut self, key: &Arc<Key>, now: Duration) {
        let Some(component) = self.components.get(key).filter(|component| component.resource.is_some())
        else {
            return;
        };
        let unasked = component.instances.iter().filter(|(_, one)| one.pod.runs && one.figures.due.is_none());
        let unasked: Vec<u32> = unasked.map(|(index, _)| index).collect();
        for index in unasked {
            self.ask_at(key, index, now);
        }
    }

    fn ask_at(&mut self, key: &Arc<Key>, index: u32, at: Duration) {
        let component = self.components.get_mut(key);
        if let Some(instance) = component.and_then(|component| component.instances.get_mut(index)) {
            instance.figures.due = Some(at);
            self.due.insert((at, key.clone(), index));
        }
    }
}

#[cfg(test)]
mod tests;
