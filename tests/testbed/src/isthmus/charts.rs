//! Our servers in clusters, installed by their charts in namespaces that take no pod below the restricted level.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Cli, Error, Programs, overlay};
use crate::{
    fs,
    kubernetes::{Client, ClientError, Cluster},
    provision::{ImageServer, NodeImages, ProgramImages},
};

/// Where our servers are.
pub const NAMESPACE: &str = "isthmus";

/// The Secret with what an agent joins with.
pub const JOIN_TOKEN: &str = "isthmus-join-token";

/// Where functions run.
pub const FUNCTIONS: &str = "functions";

/// Where the gateway's pod has the administrator's profile.
const PROFILE: &str = "/var/lib/isthmus-gateway/profile.yaml";

/// How long a server may take to be ready on a busy machine.
const PATIENCE: &str = "--timeout=240s";

/// One of our servers in a cluster.
#[derive(Debug)]
pub struct Release<'a> {
    cluster: &'a Cluster,
    server: ImageServer,
}

impl<'a> Release<'a> {
    /// Installs a chart in a cluster that is prepared; `values` is what it is told beside where the images are. Waits for nothing.
    pub async fn install(cluster: &'a Cluster, server: ImageServer, values: &Value) -> Result<Self, Error> {
        let release = Self { cluster, server };
        cluster.provide_volume(&format!("data-{}", release.pod())).await.map_err(Error::Cluster)?;
        let mut all = defaults(server);
        overlay(&mut all, values);
        let chart = chart(server);
        let helm = ["install", "-n", NAMESPACE, release.name(), &chart.to_string_lossy(), "-f", "-"];
        let client = cluster.control_plane().helm();
        client.call_with(&helm, &all.to_string()).await.map_err(Error::Client)?;
        Ok(release)
    }

    /// Waits until it is ready; tells otherwise what it said last.
    pub async fn ready(&self) -> Result<(), Error> {
        let resource = format!("statefulset/{}", self.name());
        let status = ["rollout", "status", &resource, "-n", NAMESPACE, PATIENCE];
        match self.kubectl().call(&status).await {
            Ok(_) => Ok(()),
            Err(source) => {
                let said = self.describe().await;
                Err(Error::NotReady { server: self.name().to_owned(), said, source: Box::new(source) })
            }
        }
    }

    /// The CLI of the administrator whose profile the gateway made, kept in this file.
    pub async fn administrator(&self, programs: &Programs, file: &Path) -> Result<Cli, Error> {
        let call = ["exec", &self.pod(), "-n", NAMESPACE, "-c", "gateway", "--", "cat", PROFILE];
        let profile = self.kubectl().call(&call).await.map_err(Error::Client)?;
        let failed = |source| Error::Files { server: self.name().to_owned(), source };
        fs::write(file, profile).map_err(failed)?;
        Ok(Cli::new(&programs.cli, file))
    }

    /// Its pod.
    pub fn pod(&self) -> String {
        format!("{}-0", self.name())
    }

    /// `isthmus-gateway` or `isthmus-agent`: the names of release, chart, StatefulSet, Service and account.
    pub fn name(&self) -> &'static str {
        match self.server {
            ImageServer::Gateway => "isthmus-gateway",
            ImageServer::Agent => "isthmus-agent",
        }
    }

    fn kubectl(&self) -> Client {
        self.cluster.control_plane().kubectl()
    }

    /// For an error: events and the last lines of its log.
    async fn describe(&self) -> String {
        let pod = self.pod();
        let describe = ["describe", "pod", &pod, "-n", NAMESPACE];
        let logs = ["logs", &pod, "-n", NAMESPACE, "--all-containers", "--tail=20", "--prefix"];
        let mut said = String::new();
        for call in [&describe[..], &logs[..]] {
            let answer = self.kubectl().call(call).await;
            said.push_str(&answer.unwrap_or_else(|error: ClientError| error.to_string()));
        }
        said
    }
}

/// Gives a cluster the images of servers, and the namespaces of servers and functions, at the restricted level.
pub async fn prepare(cluster: &Cluster, images: &ProgramImages) -> Result<(), Error> {
    cluster.import(images.archive()).await.map_err(Error::Cluster)?;
    let namespace = |name: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
        })
    };
    let both =
        json!({ "apiVersion": "v1", "kind": "List", "items": [namespace(NAMESPACE), namespace(FUNCTIONS)] });
    let kubectl = cluster.control_plane().kubectl();
    kubectl.call_with(&["apply", "-f", "-"], &both.to_string()).await.map(drop).map_err(Error::Client)
}

/// Puts what an agent joins with where its chart finds it by `joinToken.existingSecret`.
pub async fn put_join_token(cluster: &Cluster, token: &str) -> Result<(), Error> {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": JOIN_TOKEN, "namespace": NAMESPACE },
        "stringData": { "token": token },
    });
    let kubectl = cluster.control_plane().kubectl();
    kubectl.call_with(&["apply", "-f", "-"], &secret.to_string()).await.map(drop).map_err(Error::Client)
}

fn chart(server: ImageServer) -> PathBuf {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/charts");
    match server {
        ImageServer::Gateway => charts.join("isthmus-gateway"),
        ImageServer::Agent => charts.join("isthmus-agent"),
    }
}

/// The images that nodes here know. Nothing is pulled.
fn defaults(server: ImageServer) -> Value {
    let image = json!({ "registry": "docker.io", "tag": "testbed", "pullPolicy": "Never" });
    match server {
        ImageServer::Gateway => json!({ "image": image }),
        ImageServer::Agent => json!({
            "image": image,
            "namespaces": { "names": [FUNCTIONS] },
            "runners": {
                "images": { "java": NodeImages::java(), "python": NodeImages::python(), "go": NodeImages::go() },
                "imagePullPolicy": "Never",
            },
        }),
    }
}
