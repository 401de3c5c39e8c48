//! BackendConfigs: what the people who run a cluster add to the pods of all components. What a component says itself wins.
//!
//! Two count for a component: the global one, and above it the one of its namespace.

use std::collections::BTreeMap;

use isthmus_dialects::function_mesh::API_VERSION;
use isthmus_dialects::function_mesh::pod::{self, PodPolicy};
use isthmus_model::reason::{Reason, Violation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::validate::Error;

/// The kind.
pub(crate) const KIND: &str = "BackendConfig";

/// Which BackendConfigs count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Name of the one for all namespaces. Default empty: there is none.
    pub global: String,
    /// The Kubernetes namespace that the global one is in. Default `default`.
    pub global_namespace: String,
    /// Name of the one that each namespace may have. Default `backend-config`.
    pub namespaced: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            global: String::new(),
            global_namespace: "default".to_owned(),
            namespaced: "backend-config".to_owned(),
        }
    }
}

/// What is added to the pods of a component.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Backend {
    /// Environment of all containers but those that run before.
    pub(crate) env: BTreeMap<String, String>,
    /// What stands under the component's own policy.
    pub(crate) pod: PodPolicy,
}

impl Backend {
    /// What the BackendConfigs among `resources` add in a namespace.
    pub(crate) fn of(resources: &[Value], namespace: &str, config: &Config) -> Result<Self, Error> {
        let find = |namespace: &str, name: &str| {
            resources.iter().filter(|_| !name.is_empty()).find(|resource| {
                let text = |path: &str| resource.pointer(path).and_then(Value::as_str);
                text("/metadata/namespace").unwrap_or("default") == namespace
                    && text("/metadata/name") == Some(name)
            })
        };
        let layers = [find(&config.global_namespace, &config.global), find(namespace, &config.namespaced)];
        let mut all = Self::default();
        for layer in layers.into_iter().flatten() {
            all.overlay(Self::read(layer)?);
        }
        Ok(all)
    }

    /// Whether a document is one.
    pub(crate) fn is(document: &Value) -> bool {
        document.get("kind").is_some_and(|kind| kind == KIND)
            && document.get("apiVersion").is_some_and(|version| version == API_VERSION)
    }

    fn read(resource: &Value) -> Result<Self, Error> {
        let spec = |field: &str| resource.get("spec").and_then(|spec| spec.get(field)).cloned();
        let pod = spec("pod").unwrap_or_else(|| json!({}));
        let pod = pod::typed(pod, "spec.pod").map_err(|violations| Error { violations })?;
        let env = spec("env").unwrap_or_else(|| json!({}));
        let env = serde_json::from_value(env.clone()).map_err(|error| {
            let message = format!("it must be texts by name: {error}");
            Violation::new("spec.env", Reason::InvalidField, message).with_value(&env.to_string())
        })?;
        Ok(Self { env, pod })
    }

    /// Puts `above` over this: single values of it win, maps are joined, lists are put behind.
    fn overlay(&mut self, above: Self) {
        self.env.extend(above.env);
        let mut pod = above.pod;
        under(&mut pod, &self.pod);
        for (ours, theirs) in
            [(&mut pod.labels, &self.pod.labels), (&mut pod.annotations, &self.pod.annotations)]
        {
            join(ours, theirs.as_ref());
        }
        if pod.affinity.is_none() {
            pod.affinity.clone_from(&self.pod.affinity);
        }
        self.pod = pod;
    }

    /// Puts the component's own policy over this. Labels and annotations stay apart, for they stand under what every pod has.
    pub(crate) fn under(&self, pod: &mut PodPolicy, default_affinity: bool) {
        under(pod, &self.pod);
        // Where the operator has an affinity of its own for the pods, the original takes no other.
        if pod.affinity.is_none() && (!default_affinity || pod.disable_default_affinity == Some(true)) {
            pod.affinity.clone_from(&self.pod.affinity);
        }
    }
}

/// What both layers have in common. A security context is never taken: pods have one in any case.
fn under(pod: &mut PodPolicy, below: &PodPolicy) {
    join(&mut pod.node_selector, below.node_selector.as_ref());
    behind(&mut pod.tolerations, below.tolerations.as_ref());
    behind(&mut pod.image_pull_secrets, below.image_pull_secrets.as_ref());
    let own = pod.service_account_name.take().filter(|name| !name.is_empty());
    pod.service_account_name = own.or_else(|| below.service_account_name.clone());
    pod.termination_grace_period_seconds =
        pod.termination_grace_period_seconds.or(below.termination_grace_period_seconds);
    pod.liveness = pod.liveness.take().or_else(|| below.liveness.clone());
    pod.startup_probe = pod.startup_probe.take().or_else(|| below.startup_probe.clone());
}

fn join(ours: &mut Option<BTreeMap<String, String>>, below: Option<&BTreeMap<String, String>>) {
    if let Some(below) = below {
        let own = ours.take().unwrap_or_default();
        let mut all = below.clone();
        all.extend(own);
        *ours = Some(all);
    }
}

fn behind<T: Clone>(ours: &mut Option<Vec<T>>, first: Option<&Vec<T>>) {
    if let Some(first) = first {
        let own = ours.take().unwrap_or_default();
        *ours = Some(first.iter().cloned().chain(own).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_the_one_of_the_namespace_wins_and_a_component_wins_over_both() {
        let config = |name: &str, namespace: &str, spec: Value| json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec});
        let resources = [
            config(
                "all",
                "system",
                json!({
                    "env": {"A": "1", "B": "1"},
                    "pod": {"nodeSelector": {"x": "1"}, "tolerations": [{"key": "1"}], "serviceAccountName": "one"},
                }),
            ),
            config(
                "backend-config",
                "shop",
                json!({"env": {"B": "2"}, "pod": {"nodeSelector": {"x": "2"}, "tolerations": [{"key": "2"}]}}),
            ),
            config("backend-config", "other", json!({"env": {"B": "3"}})),
        ];
        let settings =
            Config { global: "all".to_owned(), global_namespace: "system".to_owned(), ..Config::default() };
        let backend = Backend::of(&resources, "shop", &settings).unwrap();
        assert_eq!(serde_json::to_value(&backend.env).unwrap(), json!({"A": "1", "B": "2"}));
        let mut pod: PodPolicy = serde_json::from_value(json!({"serviceAccountName": "own"})).unwrap();
        backend.under(&mut pod, true);
        assert_eq!(
            serde_json::to_value(&pod).unwrap(),
            json!({
                "nodeSelector": {"x": "2"},
                "tolerations": [{"key": "1"}, {"key": "2"}],
                "serviceAccountName": "own",
            })
        );
        let broken = [config("backend-config", "shop", json!({"env": {"A": {}}}))];
        let error = Backend::of(&broken, "shop", &Config::default()).unwrap_err();
        assert_eq!(error.violations[0].field, "spec.env");
    }
}
