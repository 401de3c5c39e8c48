//! The servers' command lines and files, and where each says that it is ready.

use std::path::{Path, PathBuf};

use super::{
    super::{
        Error,
        certificates::{self, Authority, Identity, User},
        kubeconfig::Kubeconfig,
        site::Site,
    },
    Component, SERVICE_OF_THE_API,
};
use crate::{fs, process::Program, provision::KubernetesHome};

/// Addresses of Services; the same in every cluster, since nobody outside sees them.
const SERVICES: &str = "10.96.0.0/16";

/// Who signs service accounts' tokens.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

const API_SERVER_NAMES: [&str; 5] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Where clients connect.
pub(super) fn url(site: &Site) -> String {
    format!("https://{}:{}", site.address, site.api)
}

/// What answers once a server is ready.
pub(super) fn health(site: &Site, component: Component) -> String {
    let address = site.address;
    match component {
        Component::Etcd => format!("http://{address}:{}/health", site.etcd),
        Component::ApiServer => format!("https://{address}:{}/readyz", site.api),
        Component::ControllerManager => format!("https://{address}:{}/healthz", site.controllers),
        Component::Scheduler => format!("https://{address}:{}/healthz", site.scheduler),
    }
}

/// A client that trusts the cluster's root and is its administrator.
pub(super) fn probe(authority: &Authority, administrator: &Identity) -> Result<reqwest::Client, Error> {
    // An error means that the program has chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).map_err(Error::Probe)?;
    let pem = format!("{}{}", administrator.certificate, administrator.key);
    let identity = reqwest::Identity::from_pem(pem.as_bytes()).map_err(Error::Probe)?;
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0) // one kept for later would belong to a runtime that may be gone by then
        .tls_certs_only([root])
        .identity(identity)
        .build()
        .map_err(Error::Probe)
}

/// The files that the servers share.
pub(super) struct Files {
    dir: PathBuf,
    root: PathBuf,
    serving: (PathBuf, PathBuf),
    /// By which the API server is known to kubelets.
    to_kubelets: (PathBuf, PathBuf),
    /// Of service accounts: public, private.
    tokens: (PathBuf, PathBuf),
}

impl Files {
    pub(super) fn write(dir: PathBuf, authority: &Authority, site: &Site) -> Result<Self, Error> {
        let failed = Error::Certificates;
        let root = dir.join("ca.crt");
        fs::write(&root, authority.pem()).map_err(Error::Files)?;
        let addresses = [site.address, std::net::Ipv4Addr::LOCALHOST, SERVICE_OF_THE_API];
        let serving = authority.server("kube-apiserver", &API_SERVER_NAMES, &addresses).map_err(failed)?;
        let to_kubelets = User::named("kube-apiserver-kubelet-client").in_group("system:masters");
        let to_kubelets = authority.client(&to_kubelets).map_err(failed)?;
        let (public, private) = certificates::token_key().map_err(failed)?;
        let tokens = (dir.join("tokens.pub"), dir.join("tokens.key"));
        fs::write(&tokens.0, public).map_err(Error::Files)?;
        fs::write(&tokens.1, private).map_err(Error::Files)?;
        Ok(Self {
            root,
            serving: serving.write(&dir, "serving").map_err(failed)?,
            to_kubelets: to_kubelets.write(&dir, "kubelet-client").map_err(failed)?,
            tokens,
            dir,
        })
    }

    /// A kubeconfig among the servers' files.
    pub(super) fn kubeconfig(
        &self,
        site: &Site,
        authority: &Authority,
        user: &User,
    ) -> Result<Kubeconfig, Error> {
        let identity = authority.client(user).map_err(Error::Certificates)?;
        let path = self.dir.join(format!("{}.kubeconfig", user.name.replace(':', "-")));
        Kubeconfig::write(path, &url(site), authority.pem(), &user.name, &identity).map_err(Error::Files)
    }

    pub(super) fn etcd(&self, home: &KubernetesHome, site: &Site) -> Program {
        let clients = format!("http://{}:{}", site.address, site.etcd);
        let peers = format!("http://{}:{}", site.address, site.etcd_peer);
        home.program("etcd")
            .args(["--name", "testbed", "--log-level", "warn"])
            // What is shown here is not that etcd is durable, and a sync for each write costs more than the write.
            .arg("--unsafe-no-fsync")
            .arg("--data-dir")
            .arg(self.dir.join("etcd"))
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("testbed={peers}")])
    }

    pub(super) fn api_server(&self, home: &KubernetesHome, site: &Site) -> Program {
        let program = home
            .program("kube-apiserver")
            .arg(format!("--etcd-servers=http://{}:{}", site.address, site.etcd))
            .arg(format!("--secure-port={}", site.api))
            .arg(format!("--service-cluster-ip-range={SERVICES}"))
            .arg(format!("--service-account-issuer={ISSUER}"))
            .args(["--authorization-mode=Node,RBAC", "--allow-privileged=true"])
            // Without it `logs` and `exec` ask for the node's name, which nobody resolves.
            .arg("--kubelet-preferred-address-types=InternalIP");
        let program = flag(program, "client-ca-file", &self.root);
        let program = flag(program, "tls-cert-file", &self.serving.0);
        let program = flag(program, "tls-private-key-file", &self.serving.1);
        let program = flag(program, "service-account-key-file", &self.tokens.0);
        let program = flag(program, "service-account-signing-key-file", &self.tokens.1);
        let program = flag(program, "kubelet-client-certificate", &self.to_kubelets.0);
        let program = flag(program, "kubelet-client-key", &self.to_kubelets.1);
        let program = flag(program, "kubelet-certificate-authority", &self.root);
        let program = program.arg(format!("--bind-address={}", site.listens_on()));
        if site.address.is_loopback() {
            // Nothing in the cluster could use it, since there is nothing in the cluster.
            program.arg("--endpoint-reconciler-type=none")
        } else {
            program.arg(format!("--advertise-address={}", site.address))
        }
    }

    pub(super) fn controller_manager(
        &self,
        home: &KubernetesHome,
        site: &Site,
        authority: &Authority,
    ) -> Result<Program, Error> {
        let user = User::named("system:kube-controller-manager");
        let kubeconfig = self.kubeconfig(site, authority, &user)?;
        let program = home
            .program("kube-controller-manager")
            .arg(format!("--secure-port={}", site.controllers))
            .args(["--use-service-account-credentials=true", "--leader-elect=false"]);
        let program = flag(program, "service-account-private-key-file", &self.tokens.1);
        let program = flag(program, "root-ca-file", &self.root);
        Ok(self.client(program, site, &kubeconfig))
    }

    pub(super) fn scheduler(
        &self,
        home: &KubernetesHome,
        site: &Site,
        authority: &Authority,
    ) -> Result<Program, Error> {
        let kubeconfig = self.kubeconfig(site, authority, &User::named("system:kube-scheduler"))?;
        let program = home
            .program("kube-scheduler")
            .arg(format!("--secure-port={}", site.scheduler))
            .arg("--leader-elect=false");
        Ok(self.client(program, site, &kubeconfig))
    }

    /// What those have in common that are clients of the API server and answer for their own health.
    fn client(&self, program: Program, site: &Site, kubeconfig: &Kubeconfig) -> Program {
        let program = flag(program, "kubeconfig", kubeconfig.path());
        let program = flag(program, "authentication-kubeconfig", kubeconfig.path());
        let program = flag(program, "authorization-kubeconfig", kubeconfig.path());
        let program = flag(program, "tls-cert-file", &self.serving.0);
        let program = flag(program, "tls-private-key-file", &self.serving.1);
        program.arg(format!("--bind-address={}", site.address))
    }
}

fn flag(program: Program, name: &str, path: &Path) -> Program {
    let mut flag = std::ffi::OsString::from(format!("--{name}="));
    flag.push(path);
    program.arg(flag)
}
