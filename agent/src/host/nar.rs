//! What a connector's NAR says of it, so that nobody need say it again: its class, and the type of its records.
//!
//! ```text
//! NAR ▶ META-INF/services/pulsar-io.yaml ▶ class ▶ its class file ▶ its signature ▶ Source<TYPE> or Sink<TYPE>
//! ```
//!
//! Pulsar's functions worker loads the class to find the type; here it is read, and no code of the user's runs in the agent.

mod class;
mod signature;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use isthmus_model::component::{Component, ComponentKind};
use serde::Deserialize;
use zip::ZipArchive;
use zip::result::ZipError;

use class::Class;
use signature::{Above, Argument};

/// Where a NAR describes its connectors.
const DESCRIPTION: &str = "META-INF/services/pulsar-io.yaml";
/// Where it keeps what the connector needs, the connector's own jar perhaps among it.
const BUNDLED: &str = "META-INF/bundled-dependencies/";
/// What a connector's class is, or is made from.
const CORE: &str = "org/apache/pulsar/io/core/";
/// Largest jar that is read out of a NAR; the largest ones of Pulsar's own connectors have some 50 MiB.
const LARGEST_JAR: u64 = 256 << 20;
/// Largest description or class file that is read; a file in an archive may be a thousand times what it takes there.
const LARGEST_FILE: u64 = 4 << 20;
/// Java's own classes, above which no connector is.
const JAVA: &str = "java/";
/// Classes above a connector's that are looked at.
const HIGHEST: usize = 16;

/// The NAR does not say what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read.
    #[error("cannot read the connector's package {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: ZipError,
    },
    /// It does not describe itself.
    #[error("the connector's package has no {DESCRIPTION}: name its class as className")]
    NoDescription,
    /// It describes itself in another way.
    #[error("the {DESCRIPTION} of the connector's package is not understood")]
    Description(#[source] Box<serde_saphyr::Error>),
    /// It is another kind of connector.
    #[error("the connector's package has no {kind}: its {DESCRIPTION} names no {field}")]
    OtherKind {
        /// What was looked for.
        kind: &'static str,
        /// Where.
        field: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    #[serde(default)]
    source_class: String,
    #[serde(default)]
    sink_class: String,
}

/// Completes what a source or sink leaves to its package. Everything else stays as it is. Blocks.
///
/// # Errors
/// The class is not given and the package does not name it. A type that cannot be told is left to the instance.
pub(crate) fn complete(component: &mut Component, package: &Path) -> Result<(), Error> {
    let spec = &mut component.spec;
    let record = match component.kind {
        ComponentKind::Function => return Ok(()),
        ComponentKind::Source => &mut spec.output.get_or_insert_default().type_class_name,
        ComponentKind::Sink => &mut spec.input.get_or_insert_default().type_class_name,
    };
    let connector = match component.kind {
        ComponentKind::Source => &spec.source_connector,
        ComponentKind::Function | ComponentKind::Sink => &spec.sink_connector,
    };
    let typed = !record.is_empty()
        || connector.as_ref().is_some_and(|connector| !connector.type_class_name.is_empty());
    if typed && !spec.class_name.is_empty() {
        return Ok(());
    }
    let failed = |source| Error::Read { path: package.to_path_buf(), source };
    let file = File::open(package).map_err(|error| failed(error.into()))?;
    let mut nar = ZipArchive::new(file).map_err(failed)?;
    if spec.class_name.is_empty() {
        spec.class_name = class_of(&mut nar, component.kind, package)?;
    }
    if !typed && let Some(found) = record_of(&mut nar, &spec.class_name) {
        *record = found;
    }
    Ok(())
}

fn class_of(nar: &mut ZipArchive<File>, kind: ComponentKind, path: &Path) -> Result<String, Error> {
    let text = match read(nar, DESCRIPTION, LARGEST_FILE) {
        Ok(text) => text,
        Err(ZipError::FileNotFound) => return Err(Error::NoDescription),
        Err(source) => return Err(Error::Read { path: path.to_path_buf(), source }),
    };
    let text = String::from_utf8_lossy(&text);
    let description: Description =
        serde_saphyr::from_str(&text).map_err(|source| Error::Description(Box::new(source)))?;
    let (class, kind, field) = match kind {
        ComponentKind::Source => (description.source_class, "source", "sourceClass"),
        ComponentKind::Function | ComponentKind::Sink => (description.sink_class, "sink", "sinkClass"),
    };
    if class.is_empty() { Err(Error::OtherKind { kind, field }) } else { Ok(class) }
}

/// The type of a connector's records, as Java names it; `None` when the classes do not say.
fn record_of(nar: &mut ZipArchive<File>, class: &str) -> Option<String> {
    let mut of = Above { name: class.replace('.', "/").into(), arguments: Vec::new() };
    for _ in 0..HIGHEST {
        let above = Class::parse(&find(nar, &of.name)?)?.above(&of.arguments);
        if let Some(core) = above.iter().find(|above| above.name.starts_with(CORE)) {
            return core.arguments.first().map(Argument::java);
        }
        // The class that it extends stands before the interfaces.
        of = above.into_iter().find(|above| !above.name.starts_with(JAVA))?;
    }
    None
}

/// A class file of the NAR itself, or of one of the jars in it.
fn find(nar: &mut ZipArchive<File>, class: &str) -> Option<Vec<u8>> {
    let file = format!("{class}.class");
    if let Ok(found) = read(nar, &file, LARGEST_FILE) {
        return Some(found);
    }
    let is_jar = |name: &String| {
        name.starts_with(BUNDLED) && Path::new(name).extension().is_some_and(|extension| extension == "jar")
    };
    let jars: Vec<String> = nar.file_names().flatten().map(Cow::into_owned).filter(is_jar).collect();
    jars.iter().find_map(|jar| {
        let jar = Cursor::new(read(nar, jar, LARGEST_JAR).ok()?);
        read(&mut ZipArchive::new(jar).ok()?, &file, LARGEST_FILE).ok()
    })
}

fn read<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str, largest: u64) -> Result<Vec<u8>, ZipError> {
    let file = archive.by_name(name)?;
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{name} is too large")).into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
