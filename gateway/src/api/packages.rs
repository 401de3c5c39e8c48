//! `PackageService`: bytes up, bytes down, and their records.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use isthmus_model::name::Digest;
use isthmus_model::reason::Reason;
use isthmus_proto::convert::time::timestamp;
use isthmus_proto::package::v1 as wire;
use isthmus_proto::package::v1::package_service_server::PackageService;
use isthmus_proto::package::v1::upload_package_request::Part;
use tonic::{Request, Response, Status, Streaming};

use super::context::{Context, page_size};
use crate::auth::principal;
use crate::packages::{Error, Packages};
use crate::status_code;
use crate::store::Command;
use crate::store::command::{Package, ResourceChange};

/// `PackageService` over the store and the directory of packages.
#[derive(Debug, Clone)]
pub struct PackageApi {
    /// The store.
    pub context: Context,
    /// The bytes.
    pub packages: Packages,
}

#[tonic::async_trait]
impl PackageService for PackageApi {
    async fn upload_package(
        &self,
        request: Request<Streaming<wire::UploadPackageRequest>>,
    ) -> Result<Response<wire::Package>, Status> {
        let uploader = principal(&request)?;
        let mut parts = request.into_inner();
        let Some(Part::Header(header)) = parts.message().await?.and_then(|first| first.part) else {
            return Err(order("the first message must carry the header"));
        };
        let name = file_name(&header.file)?;
        let announced = if header.location.is_empty() {
            None
        } else {
            Some(digest("header.location", &header.location)?)
        };
        let mut upload = self.packages.begin().await.map_err(|error| not_stored(&error))?;
        while let Some(message) = parts.message().await? {
            match message.part {
                Some(Part::Chunk(chunk)) => upload.write(&chunk).await.map_err(|error| not_stored(&error))?,
                _ => return Err(order("every message after the first must carry bytes")),
            }
        }
        if upload.is_empty() {
            let rule = "a package must have bytes, and none came after the header";
            return Err(status_code::invalid_field("part", Reason::MissingField, rule, ""));
        }
        let stored = upload.finish(announced).await.map_err(|error| not_stored(&error))?;
        let record = Package {
            digest: stored.digest,
            size: stored.size,
            name,
            uploader: uploader.clone(),
            uploaded_at: self.context.now(),
        };
        let known = self.context.read(|state| state.package(&stored.digest).map(shown)).await?;
        if let Some(known) = known {
            return Ok(Response::new(known));
        }
        let shown = shown(&record);
        self.context.submit(&uploader, Command::Resource(ResourceChange::PutPackage(record))).await?;
        Ok(Response::new(shown))
    }

    type DownloadPackageStream = BoxStream<'static, Result<wire::DownloadPackageResponse, Status>>;

    async fn download_package(
        &self,
        request: Request<wire::DownloadPackageRequest>,
    ) -> Result<Response<Self::DownloadPackageStream>, Status> {
        let digest = digest("location", &request.into_inner().location)?;
        self.record(digest).await?;
        let reader = self
            .packages
            .read(digest)
            .await
            .map_err(|error| not_read(&error))?
            .ok_or_else(|| missing(digest))?;
        let message = |chunk| wire::DownloadPackageResponse { chunk };
        let pieces = reader.pieces().map(move |chunk| chunk.map(message).map_err(|error| not_read(&error)));
        Ok(Response::new(pieces.boxed()))
    }

    async fn get_package(
        &self,
        request: Request<wire::GetPackageRequest>,
    ) -> Result<Response<wire::Package>, Status> {
        let digest = digest("location", &request.into_inner().location)?;
        Ok(Response::new(self.record(digest).await?))
    }

    async fn list_packages(
        &self,
        request: Request<wire::ListPackagesRequest>,
    ) -> Result<Response<wire::ListPackagesResponse>, Status> {
        let wire::ListPackagesRequest { page_size: size, page_token } = request.into_inner();
        let after = if page_token.is_empty() { None } else { Some(digest("pageToken", &page_token)?) };
        let size = page_size(size);
        let mut packages: Vec<wire::Package> = self
            .context
            .read(|state| {
                let behind = |package: &&Package| after.is_none_or(|after| package.digest > after);
                state.packages().filter(behind).take(size + 1).map(shown).collect()
            })
            .await?;
        let more = packages.len() > size;
        packages.truncate(size);
        let last = packages.last().filter(|_| more).map(|package| package.location.clone());
        Ok(Response::new(wire::ListPackagesResponse { packages, next_page_token: last.unwrap_or_default() }))
    }

    async fn delete_package(
        &self,
        request: Request<wire::DeletePackageRequest>,
    ) -> Result<Response<wire::DeletePackageResponse>, Status> {
        let operator = principal(&request)?;
        let digest = digest("location", &request.into_inner().location)?;
        self.context.submit(&operator, Command::Resource(ResourceChange::DeletePackage(digest))).await?;
        // The record is gone for good, so an error here costs disk and nothing else.
        if let Err(error) = self.packages.remove(digest).await {
            tracing::warn!(package = %digest, "the bytes of a deleted package stay on the disk: {error}");
        }
        Ok(Response::new(wire::DeletePackageResponse {}))
    }
}

impl PackageApi {
    async fn record(&self, digest: Digest) -> Result<wire::Package, Status> {
        let found = self.context.read(|state| state.package(&digest).map(shown)).await?;
        found.ok_or_else(|| missing(digest))
    }
}

/// A package as it is shown.
fn shown(package: &Package) -> wire::Package {
    wire::Package {
        location: format!("sha256:{}", package.digest),
        file: package.name.clone(),
        size_bytes: package.size,
        create_time: Some(timestamp(package.uploaded_at)),
        uploader: package.uploader.to_string(),
    }
}

fn digest(field: &str, location: &str) -> Result<Digest, Status> {
    location.parse().map_err(|error| status_code::invalid_name(field, &error))
}

/// A file's name that can stand in a path of any agent.
fn file_name(file: &str) -> Result<String, Status> {
    let good = !file.is_empty()
        && file.len() <= 255
        && !matches!(file, "." | "..")
        && !file.contains(['/', '\\'])
        && !file.chars().any(char::is_control);
    if good {
        return Ok(file.to_owned());
    }
    if file.is_empty() {
        return Err(status_code::invalid_field("header.file", Reason::MissingField, "it must be given", ""));
    }
    let rule = "it must be a file's name of at most 255 bytes, without directories and control characters";
    Err(status_code::invalid_field(
        "header.file",
        Reason::InvalidField,
        rule,
        &serde_json::Value::from(file).to_string(),
    ))
}

fn order(rule: &str) -> Status {
    status_code::invalid_field("part", Reason::InvalidField, rule, "")
}

fn missing(digest: Digest) -> Status {
    status_code::failed(Reason::NotFound, format!("there is no package sha256:{digest}; upload it first"))
}

fn not_stored(error: &Error) -> Status {
    match error {
        Error::Digest { .. } => status_code::failed(Reason::DigestMismatch, error.to_string()),
        Error::TooLarge { .. } => status_code::failed(Reason::TooLarge, error.to_string()),
        Error::File { .. } => status_code::internal("store a package", error),
    }
}

fn not_read(error: &Error) -> Status {
    status_code::internal("read a package", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_leave_its_directory() {
        assert!(file_name("api-examples.jar").is_ok());
        for bad in ["", ".", "..", "a/b", "/etc/passwd", "a\\b", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(file_name(bad).is_err(), "{bad:?}");
        }
    }
}
