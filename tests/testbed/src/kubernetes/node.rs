//! One node: containerd, kubelet, kube-proxy, and the cluster's DNS, which runs beside them and not in pods, so that a cluster
//! serves names as soon as it is there.

mod files;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{ClientError, Error, control_plane::ControlPlane, host::Place, namespace::Namespace};
use crate::{
    fs,
    process::Program,
    provision::{KubernetesHome, NodeImages},
    run::Run,
    server::Server,
    wait::until,
};

/// How long a node may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// One of the servers of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeComponent {
    /// Runs containers, which go on without it.
    Containerd,
    /// Runs pods, which go on without it.
    Kubelet,
    /// Leads Services' addresses to pods.
    KubeProxy,
    /// Answers for names.
    CoreDns,
}

/// Running servers of a node; dropping this kills them. Pods end with the namespace.
#[derive(Debug)]
pub(super) struct Node {
    dns: Server,
    proxy: Server,
    kubelet: Server,
    containerd: Server,
    socket: PathBuf,
    /// What fills containerd's root.
    images: Program,
    enter: Vec<std::ffi::OsString>,
    run: Arc<Run>,
}

impl Node {
    /// Writes what the servers need, without starting them.
    pub(super) fn prepare(
        run: Arc<Run>,
        home: &KubernetesHome,
        place: &Place,
        namespace: &Namespace,
        plane: &ControlPlane,
        images: &NodeImages,
    ) -> Result<Self, Error> {
        let dir = run.dir().join("node");
        fs::create_dir(&dir).map_err(Error::Files)?;
        let files = files::Files::write(dir, place, plane)?;
        let enter = namespace.enter_node();
        let server = |name: &str, program: Program| {
            Server::new(name, program.prefixed(&enter), run.dir().join(format!("{name}.log")))
        };
        Ok(Self {
            dns: server("coredns", files.dns(home)),
            proxy: server("kube-proxy", files.proxy(home)),
            kubelet: server("kubelet", files.kubelet(home)),
            containerd: server("containerd", files.containerd()),
            socket: files.socket(),
            images: images.lend_to(&files.root()).prefixed(&enter),
            enter,
            run,
        })
    }

    /// Starts containerd, which waits for nobody, with all images.
    pub(super) async fn start_containerd(&mut self) -> Result<(), Error> {
        let mut copy =
            self.images.start(&self.run, &self.run.dir().join("images.log")).map_err(Error::Process)?;
        if !copy.ended().await.map_err(Error::Process)?.success() {
            return Err(Error::Images { said: copy.log_tail() });
        }
        self.resume(NodeComponent::Containerd).await
    }

    /// Starts what needs the API server, and waits until pods can run and find one another.
    pub(super) async fn join(&mut self, place: &Place, plane: &ControlPlane) -> Result<(), Error> {
        let Self { dns, proxy, kubelet, run, .. } = self;
        let (kubectl, node) = (plane.kubectl(), place.node());
        let (address, run) = (place.address(), &**run);
        let manifests = files::dns_service(address).to_string();
        let published = async {
            kubectl.call_with(&["apply", "-f", "-"], &manifests).await.map(drop).map_err(Error::Client)
        };
        let kubelet = async {
            let ready = async || ready(kubectl.call(&files::readiness(&node)).await);
            kubelet.resume(run, ready).await.map_err(Error::Server)
        };
        let proxy = async {
            let healthy = format!("http://{address}:10256/livez");
            proxy.resume(run, async || answers(&healthy).await).await.map_err(Error::Server)
        };
        let dns = async {
            let ready = format!("http://{address}:8181/ready");
            dns.resume(run, async || answers(&ready).await).await.map_err(Error::Server)
        };
        // Pods are refused in a namespace until it has a service account.
        let account = async {
            let found = ["get", "serviceaccount", "default", "-n", "default", "-o", "name"];
            let waited = until("the default service account", PATIENCE, async || kubectl.call(&found).await);
            waited.await.map(drop).map_err(Error::Wait)
        };
        tokio::try_join!(published, kubelet, proxy, dns, account).map(drop)
    }

    /// Kills a server without warning, if it runs.
    pub(super) async fn crash(&mut self, component: NodeComponent) -> Result<(), Error> {
        self.server(component).crash().await.map_err(Error::Server)
    }

    /// Starts a server again, unless it runs. All but containerd are ready some time later.
    pub(super) async fn resume(&mut self, component: NodeComponent) -> Result<(), Error> {
        let ping = self.ctr(&["version"]);
        let run = Arc::clone(&self.run);
        let server = self.server(component);
        match component {
            NodeComponent::Containerd => server.resume(&run, async || output(&ping).await.map(drop)).await,
            _ => server.resume(&run, async || Ok(())).await,
        }
        .map_err(Error::Server)
    }

    /// Makes an image known under the name that its archive gives it.
    pub(super) async fn import(&self, archive: &Path) -> Result<(), Error> {
        let mut call = self.ctr(&["--namespace", "k8s.io", "images", "import"]);
        call.push(archive.into());
        output(&call).await.map(drop).map_err(|said| Error::Image { archive: archive.to_owned(), said })
    }

    fn ctr(&self, arguments: &[&str]) -> Vec<std::ffi::OsString> {
        let own = ["ctr", "--address"].map(std::ffi::OsString::from);
        let socket = self.socket.clone().into_os_string();
        self.enter
            .iter()
            .cloned()
            .chain(own)
            .chain([socket])
            .chain(arguments.iter().map(Into::into))
            .collect()
    }

    fn server(&mut self, component: NodeComponent) -> &mut Server {
        match component {
            NodeComponent::Containerd => &mut self.containerd,
            NodeComponent::Kubelet => &mut self.kubelet,
            NodeComponent::KubeProxy => &mut self.proxy,
            NodeComponent::CoreDns => &mut self.dns,
        }
    }
}

fn ready(condition: Result<String, ClientError>) -> Result<(), String> {
    match condition {
        Ok(status) if status == "True" => Ok(()),
        Ok(status) => Err(format!("the node's condition Ready is {status:?}")),
        Err(error) => Err(error.to_string()),
    }
}

async fn answers(url: &str) -> Result<(), String> {
    crate::admin::get(url).await.map(drop).map_err(|error| error.to_string())
}

/// What a short command prints, or why it failed.
async fn output(call: &[std::ffi::OsString]) -> Result<String, String> {
    let [program, arguments @ ..] = call else { return Err("there is nothing to run".to_owned()) };
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}
