//! Volumes of the pod and where the main container has them. A volume that is needed twice is there once.

use isthmus_model::component::{Crypto, Spec};
use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, Volume, VolumeMount};

use super::Prepared;
use super::connection::{Connection, secret_file};
use super::download;
use super::log::{Logging, sidecar};

/// Files of logs, which the sidecar reads.
pub(super) const LOGS: &str = "filebeat-logs";
const LOGS_DIRECTORY: &str = "/pulsar/logs/functions";
const DOWNLOADS: &str = "downloader-volume";

/// What filebeat writes beside logs: its configuration, how far it has read, and what it says of itself.
pub(super) const FILEBEAT: [(&str, &str); 3] = [
    ("filebeat-config", "/usr/share/filebeat/config"),
    ("filebeat-data", "/usr/share/filebeat/data"),
    ("filebeat-own-logs", "/usr/share/filebeat/logs"),
];

/// Where programs put what they need for a while, the Java instance the unpacked connector.
pub(super) const TMP: &str = "/tmp";

#[derive(Debug, Default)]
pub(super) struct Volumes {
    pub(super) volumes: Vec<Volume>,
    /// Of the main container.
    pub(super) mounts: Vec<VolumeMount>,
}

impl Volumes {
    pub(super) fn of(prepared: &Prepared<'_>) -> Self {
        let spec = &prepared.component.spec;
        let mut all = Self {
            volumes: prepared.pod.volumes.clone().unwrap_or_default(),
            mounts: prepared.volume_mounts.to_vec(),
        };
        if sidecar(spec) {
            all.add(empty(LOGS), Some(mount(LOGS, LOGS_DIRECTORY)));
        }
        for (volume, mount) in prepared.messaging().files() {
            all.add(volume, Some(mount));
        }
        for crypto in cryptos(spec) {
            for secret in &crypto.secrets {
                let volume = secret_file(&secret.secret_name, &secret.secret_key);
                let at = (!secret.as_volume.is_empty()).then(|| mount(&volume.name, &secret.as_volume));
                all.add(volume, at);
            }
        }
        if let Some((volume, mount)) = Logging::of(spec).and_then(|logging| logging.file()) {
            all.add(volume, Some(mount));
        }
        for (volume, mount) in prepared.package_service().iter().flat_map(Connection::files) {
            all.add(volume, Some(mount));
        }
        if prepared.downloads_before() {
            all.add(empty(DOWNLOADS), Some(downloaded(prepared)));
        }
        if prepared.pods.restricted() {
            all.writable(prepared);
        }
        all
    }

    /// The directories that instances write to, where they cannot write to their image. What the resource mounts there stays.
    fn writable(&mut self, prepared: &Prepared<'_>) {
        let spec = &prepared.component.spec;
        let logging = Logging::of(spec).map(|logging| ("writable-conf", logging.directory()));
        let package =
            download::in_the_instance(prepared).then_some(("writable-packages", download::DIRECTORY));
        let places =
            [("writable-tmp", TMP), ("writable-logs", "/pulsar/logs"), ("writable-heap", "/pulsar/tmp")];
        if sidecar(spec) {
            self.volumes.extend(FILEBEAT.map(|(name, _)| empty(name)));
        }
        for (name, path) in places.into_iter().chain(logging).chain(package) {
            let path = path.trim_end_matches('/');
            if !self.mounts.iter().any(|mount| mount.mount_path.trim_end_matches('/') == path) {
                self.add(empty(name), Some(mount(name, path)));
            }
        }
    }

    fn add(&mut self, volume: Volume, mount: Option<VolumeMount>) {
        if !self.volumes.iter().any(|known| known.name == volume.name) {
            self.volumes.push(volume);
        }
        self.mounts.extend(mount.filter(|mount| !self.mounts.contains(mount)));
    }
}

/// What producers and consumers encrypt with.
fn cryptos(spec: &Spec) -> impl Iterator<Item = &Crypto> {
    let producer = spec.output.as_ref().and_then(|output| output.producer.as_ref());
    let consumers = spec.input.iter().flat_map(|input| input.topics.values());
    producer
        .and_then(|producer| producer.crypto.as_ref())
        .into_iter()
        .chain(consumers.filter_map(|consumer| consumer.crypto.as_ref()))
}

/// The mounts of the container that fetches the package.
pub(super) fn downloader(prepared: &Prepared<'_>) -> Vec<VolumeMount> {
    let location = prepared.component.spec.runtime.as_ref().map_or("", |runtime| &runtime.package().location);
    let mut mounts = vec![mount(DOWNLOADS, download::DIRECTORY)];
    if !download::is_http(location) {
        mounts.extend(prepared.packages().files().into_iter().map(|(_, mount)| mount));
    }
    mounts.extend(prepared.volume_mounts.iter().cloned());
    if prepared.pods.restricted() && !mounts.iter().any(|mount| mount.mount_path == TMP) {
        // Its tools keep their settings in its home.
        mounts.push(mount("writable-tmp", TMP));
    }
    mounts
}

/// Where the instance has the fetched package: its directory, or the file alone where the directory is the distribution's own.
fn downloaded(prepared: &Prepared<'_>) -> VolumeMount {
    let file = prepared.component.spec.runtime.as_ref().map_or("", |runtime| &runtime.package().file);
    let path = download::rebased(file);
    match path.rsplit_once('/') {
        Some((directory, _)) if directory != "/pulsar" => mount(DOWNLOADS, directory),
        _ => VolumeMount { sub_path: Some(download::file_name(&path).to_owned()), ..mount(DOWNLOADS, &path) },
    }
}

pub(super) fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { name: volume.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

fn empty(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}
