//! The package files of one start: the gateway's, or those of the distribution.

use std::io;
use std::path::{Path, PathBuf};

use isthmus_model::component::{Component, Connector, Runtime};
use isthmus_model::package::PackageRef;
use isthmus_model::reason::Reason;

use crate::host::distribution::Distribution;
use crate::host::failed::Failed;
use crate::target::{Package, Packages};

/// What a component needs.
#[derive(Debug)]
pub(super) struct Needs {
    code: PackageRef,
    builtin: Option<String>,
    transform: Option<PackageRef>,
}

/// The package files of one start.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) code: Found,
    pub(super) transform: Option<Found>,
}

/// A file, and the name under which the instance shall see it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// Keeps the cache from removing it before it is linked.
    _pin: Option<Package>,
}

impl Needs {
    pub(super) fn of(component: &Component) -> Self {
        let spec = &component.spec;
        let builtin =
            |connector: &Option<Connector>| connector.as_ref().map(|connector| connector.builtin.clone());
        Self {
            code: spec.runtime.as_ref().map(|runtime| Runtime::package(runtime).clone()).unwrap_or_default(),
            builtin: builtin(&spec.source_connector).or_else(|| builtin(&spec.sink_connector)),
            transform: spec.transform.as_ref().map(|transform| transform.package.clone()),
        }
    }

    /// Fetches what is not here yet.
    pub(super) async fn find<P: Packages>(
        &self,
        distribution: &Distribution,
        packages: &P,
    ) -> Result<Files, Failed> {
        let code = find(&self.code, self.builtin.as_deref(), distribution, packages).await?;
        let transform = match &self.transform {
            Some(transform) => Some(find(transform, None, distribution, packages).await?),
            None => None,
        };
        Ok(Files { code, transform })
    }
}

async fn find<P: Packages>(
    package: &PackageRef,
    builtin: Option<&str>,
    distribution: &Distribution,
    packages: &P,
) -> Result<Found, Failed> {
    if let Some(digest) = package.digest {
        let found = packages.package(digest).await;
        let found = found.map_err(|error| Failed::new(Reason::PackageUnavailable, "no package", &error))?;
        return Ok(Found { path: found.path().to_path_buf(), name: file_name(package), _pin: Some(found) });
    }
    let path = distribution.file(package, builtin);
    let path = path.map_err(|message| Failed { reason: Reason::PackageUnavailable, message })?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Found { name: name.unwrap_or_else(|| file_name(package)), path, _pin: None })
}

impl Found {
    /// Gives the file a second name, which the cache cannot take away; a copy where the file system is another.
    pub(super) fn link(&self, to: &Path) -> io::Result<()> {
        let Some(directory) = to.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir_all(directory)?,
        }
        match std::fs::hard_link(&self.path, to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                std::fs::copy(&self.path, to).map(drop)
            }
            other => other,
        }
    }
}

/// The file's name as the runtime expects it; a Python module's name matters, for example.
pub(in crate::host) fn file_name(package: &PackageRef) -> String {
    let named = Path::new(&package.file).file_name().map(|name| name.to_string_lossy().into_owned());
    named.unwrap_or_else(|| "package".to_owned())
}
