//! What a node's servers are told.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::super::{
    Error, certificates::User, control_plane::ControlPlane, host::Place, kubeconfig::Kubeconfig,
};
use crate::{
    fs,
    process::Program,
    provision::{KubernetesHome, NodeImages},
};

/// Where pods ask for names; an address of the range for Services.
const DNS: &str = "10.96.0.10";

/// Where Debian puts them.
const CNI_PLUGINS: &str = "/usr/lib/cni";

/// Written for one node.
pub(super) struct Files {
    dir: PathBuf,
    node: String,
    address: Ipv4Addr,
    kubelet: Kubeconfig,
}

impl Files {
    pub(super) fn write(dir: PathBuf, place: &Place, plane: &ControlPlane) -> Result<Self, Error> {
        let node = place.node();
        let address = place.address();
        let user = User::named(format!("system:node:{node}")).in_group("system:nodes");
        let kubelet = plane.kubeconfig_of(&user)?;
        let proxy = plane.kubeconfig_of(&User::named("system:kube-proxy"))?;
        let serving = plane.authority().server(&node, &[&node], &[address]).map_err(Error::Certificates)?;
        let serving = serving.write(&dir, "kubelet").map_err(Error::Certificates)?;
        let root = dir.join("ca.crt");
        fs::create_dir(&dir.join("cni")).map_err(Error::Files)?;
        let files = Self { dir, node, address, kubelet };
        let json = |name: &str, value: &Value| files.put(name, &format!("{value:#}\n"));
        files.put("ca.crt", plane.authority().pem())?;
        files.put("containerd.toml", &files.containerd_config())?;
        json("cni/pods.conflist", &files.network(place))?;
        json("kubelet.json", &files.kubelet_config(place, &root, &serving))?;
        json("kube-proxy.json", &files.proxy_config(place, &proxy))?;
        files.put("Corefile", &files.corefile(plane))?;
        Ok(files)
    }

    fn put(&self, name: &str, content: &str) -> Result<(), Error> {
        fs::write(&self.dir.join(name), content).map_err(Error::Files)
    }

    /// Where containerd keeps images and containers.
    pub(super) fn root(&self) -> PathBuf {
        self.dir.join("containerd")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("containerd.sock")
    }

    pub(super) fn containerd(&self) -> Program {
        Program::new("containerd").arg("--config").arg(self.dir.join("containerd.toml")).cwd(&self.dir)
    }

    pub(super) fn kubelet(&self, home: &KubernetesHome) -> Program {
        home.program("kubelet")
            .arg("--config")
            .arg(self.dir.join("kubelet.json"))
            .arg("--kubeconfig")
            .arg(self.kubelet.path())
            .arg("--root-dir")
            .arg(self.dir.join("kubelet"))
            .args(["--hostname-override", &self.node, "--node-ip", &self.address.to_string()])
    }

    pub(super) fn proxy(&self, home: &KubernetesHome) -> Program {
        home.program("kube-proxy").arg("--config").arg(self.dir.join("kube-proxy.json"))
    }

    pub(super) fn dns(&self, home: &KubernetesHome) -> Program {
        home.program("coredns").arg("-conf").arg(self.dir.join("Corefile"))
    }

    fn containerd_config(&self) -> String {
        let path = |name: &str| self.dir.join(name).display().to_string();
        // What is disabled either needs devices or file systems that a test has not, or writes to fixed places.
        format!(
            r#"version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # A container's score may not be below ours, and ours cannot be lowered.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"#,
            pause = NodeImages::pause(),
            root = path("containerd"),
            state = path("containerd-state"),
            socket = path("containerd.sock"),
            cni = path("cni"),
        )
    }

    fn network(&self, place: &Place) -> Value {
        json!({
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods0",
                    "isGateway": true,
                    "hairpinMode": true,
                    // The host has a route to pods, so that it sees who speaks to it.
                    "ipMasq": false,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{ "subnet": place.pods() }]],
                        "routes": [{ "dst": "0.0.0.0/0" }],
                        "dataDir": self.dir.join("addresses"),
                    },
                },
                { "type": "portmap", "capabilities": { "portMappings": true } },
            ],
        })
    }

    fn kubelet_config(&self, place: &Place, root: &Path, serving: &(PathBuf, PathBuf)) -> Value {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.address,
            "authentication": {
                "anonymous": { "enabled": false },
                "webhook": { "enabled": false },
                "x509": { "clientCAFile": root },
            },
            "authorization": { "mode": "AlwaysAllow" },
            "tlsCertFile": serving.0,
            "tlsPrivateKeyFile": serving.1,
            "clusterDNS": [DNS],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            "containerRuntimeEndpoint": format!("unix://{}", self.socket().display()),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": place.cgroup(),
            "cgroupsPerQOS": false,
            "enforceNodeAllocatable": [],
            "oomScoreAdj": 0,
            "failSwapOn": false,
            // Images are imported and cannot be fetched again; a full disk is for the machine's owner to see to.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": { "memory.available": "50Mi" },
            "serializeImagePulls": false,
            "podLogsDir": self.dir.join("pod-logs"),
            "volumePluginDir": self.dir.join("volume-plugins"),
            "healthzBindAddress": "127.0.0.1",
        })
    }

    fn proxy_config(&self, place: &Place, kubeconfig: &Kubeconfig) -> Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": { "kubeconfig": kubeconfig.path() },
            "mode": "iptables",
            "clusterCIDR": place.pods(),
            "hostnameOverride": self.node,
            "bindAddress": self.address,
            "healthzBindAddress": format!("{}:10256", self.address),
            "oomScoreAdj": 0,
            // How many connections the kernel remembers is the machine's, and no namespace may change it.
            "conntrack": { "maxPerCore": 0, "min": 0 },
        })
    }

    fn corefile(&self, plane: &ControlPlane) -> String {
        format!(
            ".:53 {{
  bind {address}
  errors
  ready {address}:8181
  cache 5
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig} testbed
  }}
}}
",
            address = self.address,
            kubeconfig = plane.kubeconfig().path().display(),
        )
    }
}

/// The arguments by which kubectl tells whether the node is ready.
pub(super) fn readiness(node: &str) -> [&str; 5] {
    ["get", "node", node, "-o", r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#]
}

/// The Service under whose address pods ask, led to the node's own server.
pub(super) fn dns_service(server: Ipv4Addr) -> Value {
    let ports = |target: bool| {
        ["UDP", "TCP"].map(|protocol| {
            let mut port = json!({ "name": protocol.to_lowercase(), "protocol": protocol, "port": 53 });
            if target && let Some(port) = port.as_object_mut() {
                port.insert("targetPort".to_owned(), json!(53));
            }
            port
        })
    };
    json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": { "name": "kube-dns", "namespace": "kube-system" },
                "spec": { "clusterIP": DNS, "ports": ports(true) },
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "kube-dns",
                    "namespace": "kube-system",
                    "labels": { "kubernetes.io/service-name": "kube-dns" },
                },
                "addressType": "IPv4",
                "endpoints": [{ "addresses": [server], "conditions": { "ready": true } }],
                "ports": ports(false),
            },
        ],
    })
}
