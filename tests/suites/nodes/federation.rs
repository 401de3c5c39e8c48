//! A federation whose one cluster is a Kubernetes cluster with a node. The agent runs outside of it, with the rights that the
//! chart gives it, and no others.

use std::path::Path;

use anyhow::{Context, Result};
use isthmus_proto::cluster::v1::{ApplyPulsarClusterRequest, PulsarCluster};
use isthmus_testbed::kubernetes::{Client, Cluster, User};
use isthmus_testbed::{Cache, NodeImages, Pulsar};
use isthmus_tests::definitions::define;
use isthmus_tests::federation::PULSAR;
use isthmus_tests::{Federation, PATIENCE, until};
use serde_json::{Value, json};

/// The cluster's name in the federation.
pub(super) const CLUSTER: &str = "east";
/// The Kubernetes namespace of all of it.
pub(super) const NAMESPACE: &str = "functions";

/// What functions here are made of, by the module's name: they find it in their pods, where nothing has to be fetched.
const CODE: [(&str, &str); 2] = [
    (
        "greet.py",
        "from pulsar import Function\n\nclass Greet(Function):\n    def process(self, input, context):\n        \
         context.get_logger().info('greets %s' % input)\n        return 'hello ' + input\n",
    ),
    ("ends.py", "import os\n\nos._exit(3)\n"),
];

pub(super) struct World {
    pub(super) federation: Federation,
    pub(super) kubectl: Client,
    cluster: Cluster,
}

impl World {
    /// A cluster with a node, and an agent that has joined and works there.
    pub(super) async fn start() -> Result<Self> {
        let cache = Cache::from_env()?;
        cache.node_images().await?;
        let cluster = Cluster::start(&cache).await?;
        let plane = cluster.control_plane();
        let kubectl = plane.kubectl();
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the workspace")?;
        define(&kubectl).await?;
        for namespace in [NAMESPACE, "isthmus"] {
            kubectl.call(&["create", "namespace", namespace]).await?;
        }
        let code = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code", "namespace": NAMESPACE},
            "data": CODE.into_iter().map(|(file, text)| (file.to_owned(), text.into())).collect::<serde_json::Map<_, Value>>(),
        });
        kubectl.call_with(&["apply", "-f", "-"], &code.to_string()).await?;
        let chart = root.join("deploy/charts/isthmus-agent");
        let (namespaces, chart) = (format!("namespaces.names={{{NAMESPACE}}}"), chart.to_string_lossy());
        let words = ["-n", "isthmus", "template", "isthmus-agent", &chart, "--kube-version=1.34"];
        let values = ["--set", &namespaces, "--set", "config.target.custom_resources.figures.way=Proxy"];
        let words = [&words[..], &values, &["-s", "templates/role.yaml"]].concat();
        let rights = plane.helm().call(&words).await?;
        kubectl.call_with(&["apply", "-f", "-"], &rights).await?;

        let account = plane.kubeconfig_of(&User::named("system:serviceaccount:isthmus:isthmus-agent"))?;
        let settings = json!({
            "target": {
                "kubernetes": {
                    "kubeconfig": account.path(),
                    "namespaces": [NAMESPACE],
                    "pods": {"images": {"python": NodeImages::python()}},
                },
                "custom_resources": {"namespace": NAMESPACE},
            },
            // Here all removals are meant.
            "delete_budget": {"percent": 100, "at_least": 1_000_000},
        });
        let federation = Federation::builder().agents([CLUSTER]).agent_settings(settings).start().await?;
        Ok(Self { federation, kubectl, cluster })
    }

    /// Has the federation's Pulsar be this one, which pods must reach.
    pub(super) async fn with(&self, pulsar: &Pulsar) -> Result<()> {
        let pulsar_cluster = PulsarCluster {
            name: PULSAR.into(),
            service_url: pulsar.service_url(),
            admin_url: pulsar.admin_url(),
            pulsar_name: pulsar.cluster().into(),
            ..PulsarCluster::default()
        };
        let request = ApplyPulsarClusterRequest { pulsar_cluster: Some(pulsar_cluster) };
        self.federation.client().pulsar_clusters().apply_pulsar_cluster(request).await?;
        Ok(())
    }

    /// Deletes what is deployed, stops everything, and proves that nothing is left.
    pub(super) async fn end(self) -> Result<()> {
        self.federation.end().await?;
        drop(self.cluster);
        Ok(())
    }

    /// Deploys a function in Python as a person does, with the members over those of a plain one.
    pub(super) async fn deploy(&self, name: &str, module: &str, class: &str, members: Value) -> Result<()> {
        let mut manifest = json!({
            "apiVersion": "compute.functionmesh.io/v1alpha1",
            "kind": "Function",
            "metadata": {"name": name},
            "spec": {
                "className": format!("{module}.{class}"),
                "python": {"py": format!("/code/{module}.py")},
                "replicas": 1,
                "input": {
                    "topics": [format!("persistent://public/default/{name}-in")], "typeClassName": "java.lang.String",
                },
                "output": {
                    "topic": format!("persistent://public/default/{name}-out"), "typeClassName": "java.lang.String",
                },
                "pulsar": {"pulsarConfig": PULSAR},
                "resources": {
                    "requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "256Mi"},
                },
                "pod": {"volumes": [{"name": "code", "configMap": {"name": "code"}}]},
                "volumeMounts": [{"name": "code", "mountPath": "/code"}],
            },
        });
        for (member, value) in members.as_object().context("members")? {
            manifest["spec"][member] = value.clone();
        }
        self.federation.cli().call_with(&["apply", "-f", "-"], &manifest.to_string()).await?;
        Ok(())
    }

    /// What `isthmus describe` prints of a function, once it says all of this.
    pub(super) async fn until_described(&self, name: &str, says: &[&str]) -> Result<String> {
        let seen = until(format!("function {name} to be described with {says:?}"), PATIENCE, async || {
            let described = self.federation.cli().call(&["describe", "function", name]).await;
            let described = described.map_err(|error| error.to_string())?;
            if says.iter().all(|word| described.contains(word)) { Ok(described) } else { Err(described) }
        });
        Ok(seen.await?)
    }
}
