//! What the inputs find: a federation with some callers, one package and two components.

use anyhow::{Context, Result};
use isthmus_proto::access::v1::{Binding, CreateApiTokenRequest, CreateBindingRequest, Role};
use isthmus_proto::package::v1::upload_package_request::Part;
use isthmus_proto::package::v1::{UploadHeader, UploadPackageRequest};
use isthmus_tests::fixture::{function, source};
use isthmus_tests::{Client, Federation};

/// A gateway without agents, and who calls it.
pub(super) struct Setting {
    pub(super) federation: Federation,
    /// May everything.
    pub(super) admin: Client,
    /// Developer of the tenant `acme`, and nothing else.
    pub(super) dev: Client,
    /// Viewer of everything.
    pub(super) viewer: Client,
    /// Has a token and no role.
    pub(super) stranger: Client,
    /// Has no credential.
    pub(super) nobody: Client,
    /// `sha256:…` of the package that is stored.
    pub(super) stored: String,
}

impl Setting {
    /// With the function `present` at its second revision, and the source `taken`.
    pub(super) async fn new() -> Result<Self> {
        let federation = Federation::builder().start().await?;
        let admin = federation.client().clone();
        bind(&admin, "dev", Role::Developer, "acme").await?;
        bind(&admin, "viewer", Role::Viewer, "*").await?;
        let stored = upload(&admin, "greet.jar", b"not really a jar").await?;
        admin.functions().create(function("present").create()).await?;
        admin.functions().update(function("present").replicas(2).update()).await?;
        admin
            .sources()
            .create(source("taken").java(stored_package(&stored), "org.example.Taken").create())
            .await?;
        Ok(Self {
            dev: caller(&federation, "dev").await?,
            viewer: caller(&federation, "viewer").await?,
            stranger: caller(&federation, "stranger").await?,
            nobody: federation.connection().anonymous()?,
            stored,
            admin,
            federation,
        })
    }

    /// The end of it, with nothing left behind.
    pub(super) async fn end(self) -> Result<()> {
        self.federation.end().await
    }
}

/// The package as a component names it.
pub(super) fn stored_package(location: &str) -> isthmus_proto::component::v1::Package {
    isthmus_tests::fixture::package("greet.jar", location)
}

pub(super) async fn bind(admin: &Client, principal: &str, role: Role, scope: &str) -> Result<()> {
    let binding =
        Binding { principal: principal.into(), role: role.into(), scope: scope.into(), deny: false };
    admin.access().create_binding(CreateBindingRequest { binding: Some(binding) }).await?;
    Ok(())
}

async fn caller(federation: &Federation, principal: &str) -> Result<Client> {
    let request = CreateApiTokenRequest { principal: principal.into(), ttl: None };
    let made = federation.client().access().create_api_token(request).await?.into_inner();
    federation.connection().token(&made.token).with_context(|| format!("a client for {principal}"))
}

async fn upload(admin: &Client, file: &str, bytes: &[u8]) -> Result<String> {
    let header = UploadHeader { file: file.into(), location: String::new() };
    let parts = [Part::Header(header), Part::Chunk(bytes.to_vec().into())];
    let parts = parts.map(|part| UploadPackageRequest { part: Some(part) });
    Ok(admin.packages().upload_package(tokio_stream::iter(parts)).await?.into_inner().location)
}
