//! `package …`, and the upload that `apply` does.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use isthmus_model::name::Digest;
use isthmus_proto::package::v1::upload_package_request::Part;
use isthmus_proto::package::v1::{
    DeletePackageRequest, DownloadPackageRequest, GetPackageRequest, Package as WirePackage, UploadHeader,
    UploadPackageRequest,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_stream::wrappers::ReceiverStream;

use super::{Context, get, now};
use crate::args::{Package, Resource};
use crate::client::{Bound, Client};
use crate::error::Error;
use crate::manifest::Stored;
use crate::output::{self, Output};
use crate::view;

/// Bytes in one message: large enough to be cheap, small enough that a slow line shows progress.
const CHUNK: usize = 256 << 10;

pub(super) async fn run(context: &Context<'_>, args: Package) -> Result<Output, Error> {
    let client = context.client().await?;
    match args {
        Package::Upload { file } => {
            let digest = digest(&file).await?;
            let package = upload(&client, &file, digest).await?;
            let value = view::package::listing(std::slice::from_ref(&package), now(), true).records;
            let value = value.into_iter().next().map(|record| record.value).unwrap_or_default();
            Ok(Output::said(package.location, value))
        }
        Package::Download { location, to } => download(&client, &location, to).await,
        Package::List => Ok(Output::Listings(vec![get::other(&client, Resource::Packages, &[], "").await?])),
        Package::Delete { location } => {
            let request = DeletePackageRequest { location: location.clone() };
            let answer = client.packages(Bound::Unary).delete_package(request).await;
            client.answer(format!("deleting package {location}"), answer)?;
            Ok(Output::said(format!("{location} deleted"), json!({"location": location, "deleted": true})))
        }
    }
}

/// Makes sure that the gateway stores a file; bytes that it has already are not sent again.
pub(super) async fn store(client: &Client, path: &Path, dry_run: bool) -> Result<Stored, Error> {
    let digest = digest(path).await?;
    let location = format!("sha256:{digest}");
    let file = file_name(path)?;
    let request = GetPackageRequest { location: location.clone() };
    let answer = client.packages(Bound::Unary).get_package(request).await;
    match client.answer(format!("looking for package {location}"), answer) {
        Ok(_) => Ok(Stored { file, location }),
        Err(error) if error.is_not_found() && dry_run => {
            output::say(&format!("{} would be uploaded as {location}", path.display()));
            Ok(Stored { file, location: String::new() })
        }
        Err(error) if error.is_not_found() => {
            upload(client, path, digest).await?;
            output::say(&format!("{} uploaded as {location}", path.display()));
            Ok(Stored { file, location })
        }
        Err(error) => Err(error),
    }
}

fn file_name(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| Error::Usage(format!("{} does not name a file", path.display())))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let doing = format!("the package {} cannot be read", path.display());
    move |error| Error::here(doing.clone(), error)
}

async fn digest(path: &Path) -> Result<Digest, Error> {
    let wrong = unreadable(path);
    let mut file = tokio::fs::File::open(path).await.map_err(&wrong)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = file.read(&mut buffer).await.map_err(&wrong)?;
        match buffer.get(..count) {
            Some(bytes) if count > 0 => hash.update(bytes),
            _ => return Ok(Digest(hash.finalize().into())),
        }
    }
}

async fn upload(client: &Client, path: &Path, digest: Digest) -> Result<WirePackage, Error> {
    let wrong = unreadable(path);
    let doing = format!("uploading {}", path.display());
    let mut file = tokio::fs::File::open(path).await.map_err(&wrong)?;
    let size = file.metadata().await.map_err(&wrong)?.len();
    let header = UploadHeader { file: file_name(path)?, location: format!("sha256:{digest}") };
    let bar = bar(&doing, size);
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let read = async {
        // A receiver that is gone means that the call has ended; its answer says why.
        let send = async |part| sender.send(UploadPackageRequest { part: Some(part) }).await.is_ok();
        let mut going = send(Part::Header(header)).await;
        while going {
            let mut chunk = Vec::with_capacity(CHUNK);
            let count = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await.map_err(&wrong)?;
            bar.inc(count as u64);
            going = count > 0 && send(Part::Chunk(chunk.into())).await;
        }
        // Ends the stream, which the gateway takes for the end of the package.
        drop(sender);
        Ok::<_, Error>(())
    };
    let mut packages = client.packages(Bound::Stream);
    let (read, answer) = tokio::join!(read, packages.upload_package(ReceiverStream::new(receiver)));
    bar.finish_and_clear();
    read?;
    client.answer(doing, answer)
}

fn bar(doing: &str, size: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = ProgressBar::new(size).with_message(doing.to_owned());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Fetches a package; what does not have the digest that it was asked by is not left behind.
async fn download(client: &Client, location: &str, to: Option<PathBuf>) -> Result<Output, Error> {
    let expected: Digest = location.parse().map_err(|error| Error::Usage(format!("{error}")))?;
    let doing = format!("downloading package {location}");
    let request = GetPackageRequest { location: location.to_owned() };
    let record = client.answer(&doing, client.packages(Bound::Unary).get_package(request).await)?;
    let request = DownloadPackageRequest { location: location.to_owned() };
    let mut chunks = client.answer(&doing, client.packages(Bound::Stream).download_package(request).await)?;
    let path = to.unwrap_or_else(|| {
        // Only the name: a record cannot choose the directory.
        let name = Path::new(&record.file).file_name().map(PathBuf::from);
        name.unwrap_or_else(|| PathBuf::from(expected.to_string()))
    });
    let mut hash = Sha256::new();
    if path == Path::new("-") {
        while let Some(chunk) = chunks.message().await.map_err(|status| client.error(&doing, status))? {
            hash.update(&chunk.chunk);
            output::write(&chunk.chunk)?;
        }
        return verify(hash, expected, &doing).map(|()| Output::Nothing);
    }
    let part = path.with_extension("part");
    let wrong = |error| Error::here(format!("{} cannot be written", path.display()), error);
    let mut file = tokio::fs::File::create(&part).await.map_err(wrong)?;
    let bar = bar(&doing, record.size_bytes);
    let fetched = async {
        while let Some(chunk) = chunks.message().await.map_err(|status| client.error(&doing, status))? {
            hash.update(&chunk.chunk);
            file.write_all(&chunk.chunk).await.map_err(wrong)?;
            bar.inc(chunk.chunk.len() as u64);
        }
        file.flush().await.map_err(wrong)?;
        verify(hash, expected, &doing)?;
        tokio::fs::rename(&part, &path).await.map_err(wrong)
    }
    .await;
    bar.finish_and_clear();
    if let Err(error) = fetched {
        // The error that led here says more than one of removing what was fetched so far.
        let _ = tokio::fs::remove_file(&part).await;
        return Err(error);
    }
    let shown = path.display().to_string();
    Ok(Output::said(&shown, json!({"location": location, "file": shown})))
}

fn verify(hash: Sha256, expected: Digest, doing: &str) -> Result<(), Error> {
    let found = Digest(hash.finalize().into());
    if found == expected {
        return Ok(());
    }
    Err(Error::here(doing, format!("the bytes have the digest sha256:{found}: they were altered on the way")))
}
