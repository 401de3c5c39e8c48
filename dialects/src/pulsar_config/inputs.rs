//! The many ways to name input topics; each later one wins over the earlier, whole.

use std::collections::BTreeMap;

use isthmus_model::component as model;
use isthmus_model::reason::Violation;

use super::parts::{ConsumerConfig, json_text};
use crate::path;
use crate::written::Names;

/// Topics under construction, and where each was written.
pub(super) struct Inputs<'i> {
    topics: BTreeMap<String, model::ConsumerConfig>,
    names: &'i mut Names,
    violations: &'i mut Vec<Violation>,
}

impl<'i> Inputs<'i> {
    pub(super) fn new(names: &'i mut Names, violations: &'i mut Vec<Violation>) -> Self {
        Self { topics: BTreeMap::new(), names, violations }
    }

    fn add(&mut self, topic: &str, consumer: model::ConsumerConfig, written_at: String) {
        self.names.own.push((path::key("spec.input.topics", topic), written_at));
        self.topics.insert(topic.to_owned(), consumer);
    }

    pub(super) fn plain(mut self, topics: &[String], pattern: &str) -> Self {
        for (index, topic) in topics.iter().enumerate() {
            self.add(topic, model::ConsumerConfig::default(), path::index("inputs", index));
        }
        if !pattern.is_empty() {
            let consumer =
                model::ConsumerConfig { is_regex_pattern: true, ..model::ConsumerConfig::default() };
            self.add(pattern, consumer, "topicsPattern".to_owned());
        }
        self
    }

    pub(super) fn serde(mut self, field: &str, classes: BTreeMap<String, String>) -> Self {
        for (topic, serde_class_name) in classes {
            let consumer = model::ConsumerConfig { serde_class_name, ..model::ConsumerConfig::default() };
            self.add(&topic, consumer, path::key(field, &topic));
        }
        self
    }

    pub(super) fn schema(mut self, field: &str, types: BTreeMap<String, String>) -> Self {
        for (topic, schema_type) in types {
            let consumer = model::ConsumerConfig { schema_type, ..model::ConsumerConfig::default() };
            self.add(&topic, consumer, path::key(field, &topic));
        }
        self
    }

    /// Properties of schemas, as JSON text, of topics that were named before.
    pub(super) fn schema_properties(mut self, field: &str, properties: &BTreeMap<String, String>) -> Self {
        for (topic, text) in properties {
            let properties = json_text(text, path::key(field, topic), "an object of texts", self.violations);
            self.topics.entry(topic.clone()).or_default().schema_properties = properties.unwrap_or_default();
        }
        self
    }

    /// Whole configurations as JSON text.
    pub(super) fn json(mut self, field: &str, configs: &BTreeMap<String, String>) -> Self {
        for (topic, text) in configs {
            let at = path::key(field, topic);
            let config: Option<ConsumerConfig> =
                json_text(text, at.clone(), "a consumer configuration", self.violations);
            self.add(topic, config.unwrap_or_default().into(), at);
        }
        self
    }

    pub(super) fn specs(
        mut self,
        specs: BTreeMap<String, ConsumerConfig>,
    ) -> BTreeMap<String, model::ConsumerConfig> {
        for (topic, config) in specs {
            let at = path::key("inputSpecs", &topic);
            config.check(&at, self.violations);
            self.add(&topic, config.into(), at);
        }
        self.topics
    }
}
