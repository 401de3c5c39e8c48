//! Kubernetes, etcd, CoreDNS and helm, built from their Go modules: about ten minutes on two cores, once for a machine.

use std::path::PathBuf;

use super::{
    Error, Recipe, Workshop,
    go::{GoProgram, Module},
};
use crate::{cache::Cache, process::Program};

const KUBERNETES: Module = Module {
    files: &[
        ("main.go", include_str!("../../kubernetes/main.go")),
        ("pause/main.go", include_str!("../../kubernetes/pause/main.go")),
        ("go.mod", include_str!("../../kubernetes/go.mod")),
        ("go.sum", include_str!("../../kubernetes/go.sum")),
    ],
    programs: &[
        GoProgram {
            name: "kube",
            package: ".",
            // Without these the API server says that it is v0.0.0, and clients ask for the version.
            variables: &[
                "k8s.io/component-base/version.gitVersion=v1.34.4",
                "k8s.io/component-base/version.gitMajor=1",
                "k8s.io/component-base/version.gitMinor=34",
            ],
        },
        GoProgram { name: "helm", package: "helm.sh/helm/v3/cmd/helm", variables: &[] },
        GoProgram { name: "pause", package: "./pause", variables: &[] },
    ],
};

/// The programs of a Kubernetes cluster.
#[derive(Debug, Clone)]
pub struct KubernetesHome {
    dir: PathBuf,
}

impl KubernetesHome {
    /// One of `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`, `kubelet`, `kube-proxy`, `kubectl`, `etcd` and
    /// `coredns`, which are one file.
    pub fn program(&self, name: &str) -> Program {
        Program::new(self.binary()).arg(name)
    }

    /// The file that holds all but helm; its first argument names the program.
    pub fn binary(&self) -> PathBuf {
        self.dir.join("kube")
    }

    /// helm 3.
    pub fn helm(&self) -> PathBuf {
        self.dir.join("helm")
    }

    /// A static program that does nothing but adopt orphans: the first process of a pod, and of a node.
    pub fn pause(&self) -> PathBuf {
        self.dir.join("pause")
    }
}

impl Cache {
    /// Kubernetes 1.34 with what belongs to it.
    pub async fn kubernetes(&self) -> Result<KubernetesHome, Error> {
        Ok(KubernetesHome { dir: self.provide(&Programs).await? })
    }
}

struct Programs;

impl Recipe for Programs {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn title(&self) -> String {
        "Building Kubernetes 1.34, CoreDNS and helm (about ten minutes, once)".to_owned()
    }

    fn inputs(&self) -> Vec<String> {
        KUBERNETES.inputs()
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        KUBERNETES.build(workshop).await
    }
}
