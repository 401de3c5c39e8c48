//! etcd, built from its Go module.

use std::path::PathBuf;

use super::{
    Error, Recipe, Workshop,
    go::{GoProgram, Module},
};
use crate::cache::Cache;

const ETCD: Module = Module {
    files: &[
        ("main.go", include_str!("../../etcd/main.go")),
        ("go.mod", include_str!("../../etcd/go.mod")),
        ("go.sum", include_str!("../../etcd/go.sum")),
    ],
    programs: &[GoProgram { name: "etcd", package: ".", variables: &[] }],
};

impl Cache {
    /// The etcd 3.6 server program.
    pub async fn etcd(&self) -> Result<PathBuf, Error> {
        Ok(self.provide(&EtcdServer).await?.join("etcd"))
    }
}

struct EtcdServer;

impl Recipe for EtcdServer {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn title(&self) -> String {
        "Building etcd 3.6".to_owned()
    }

    fn inputs(&self) -> Vec<String> {
        ETCD.inputs()
    }

    async fn build(&self, workshop: &mut Workshop<'_>) -> Result<(), Error> {
        ETCD.build(workshop).await
    }
}
