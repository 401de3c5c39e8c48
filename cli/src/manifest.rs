//! Files as `apply` and `delete` take them: found, read, and their local packages replaced by what the gateway stores.
//!
//! A text without local packages goes to the gateway as it is: the gateway reads it, so that every client is held to the same
//! rules and positions in messages are those of the file. A text with local packages is read here, because only here lie the
//! files; it then travels in the loss-free form.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use isthmus_dialects::{Dialect as Form, Options, UnknownFields, native};
use isthmus_model::component::{ComponentKind, Draft, Runtime};
use isthmus_model::package::PackageRef;
use isthmus_proto::component::v1::{Dialect as WireDialect, UnknownFields as WireUnknownFields};

use crate::args::{Dialect, Files, Validate};
use crate::error::Error;
use crate::output;

/// One text, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// For people.
    pub(crate) name: String,
    /// Where relative paths in it start.
    pub(crate) directory: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// Names of files that are taken from directories.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads all that is meant, in the order in which it was typed; files of a directory in the order of their names.
pub(crate) fn read(files: &Files) -> Result<Vec<Text>, Error> {
    if files.files.is_empty() {
        return Err(Error::Usage("no file is given; use -f FILE, -f DIRECTORY or -f -".to_owned()));
    }
    let mut texts = Vec::new();
    for path in &files.files {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Error::here("standard input cannot be read", error))?;
            texts.push(Text { name: "standard input".to_owned(), directory: PathBuf::from("."), bytes });
        } else if path.is_dir() {
            let found = texts.len();
            directory(path, files.recursive, &mut texts)?;
            if texts.len() == found {
                let hint = if files.recursive { "" } else { "; -R looks into directories below it, too" };
                let path = path.display();
                return Err(Error::Usage(format!("there is no .yaml, .yml or .json file in {path}{hint}")));
            }
        } else {
            texts.push(file(path)?);
        }
    }
    Ok(texts)
}

fn directory(path: &Path, recursive: bool, texts: &mut Vec<Text>) -> Result<(), Error> {
    let wrong = |error| Error::here(format!("the directory {} cannot be read", path.display()), error);
    let mut entries = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .map_err(wrong)?;
    entries.sort();
    for entry in entries {
        let extension = entry.extension().and_then(|text| text.to_str()).unwrap_or("");
        if entry.is_dir() {
            if recursive {
                directory(&entry, recursive, texts)?;
            }
        } else if EXTENSIONS.contains(&extension) {
            texts.push(file(&entry)?);
        }
    }
    Ok(())
}

fn file(path: &Path) -> Result<Text, Error> {
    let bytes = std::fs::read(path)
        .map_err(|error| Error::here(format!("{} cannot be read", path.display()), error))?;
    let directory = path.parent().unwrap_or_else(|| Path::new("")).to_path_buf();
    Ok(Text { name: path.display().to_string(), directory, bytes })
}

/// A text whose code lies in files of this machine.
#[derive(Debug)]
pub(crate) struct Local {
    name: String,
    drafts: Vec<Draft>,
    /// For each draft the files that its packages lie in.
    packages: Vec<Packages>,
}

#[derive(Debug, Default)]
struct Packages {
    code: Option<PathBuf>,
    transform: Option<PathBuf>,
}

/// What the gateway knows a local file by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) file: String,
    /// `sha256:…`; empty in a dry run of what is not stored yet.
    pub(crate) location: String,
}

/// The full names of the components in a text, as far as it can be read.
pub(crate) fn names(text: &Text, files: &Files) -> Vec<String> {
    let read = isthmus_dialects::read(&text.bytes, &options(files)).unwrap_or_default();
    let named = |draft: &Draft| format!("{}/{}/{}", draft.tenant, draft.namespace, draft.name);
    read.drafts.iter().map(|written| named(written.draft())).collect()
}

/// How files are read.
pub(crate) fn options(files: &Files) -> Options {
    let (dialect, kind) = match files.dialect {
        Dialect::Auto | Dialect::Kubernetes => (None, None),
        Dialect::FunctionConfig => (Some(Form::PulsarConfig), Some(ComponentKind::Function)),
        Dialect::SourceConfig => (Some(Form::PulsarConfig), Some(ComponentKind::Source)),
        Dialect::SinkConfig => (Some(Form::PulsarConfig), Some(ComponentKind::Sink)),
    };
    let unknown_fields = match files.validate {
        Validate::Strict => UnknownFields::Error,
        Validate::Warn => UnknownFields::Warn,
        Validate::Ignore => UnknownFields::Ignore,
    };
    Options { dialect, kind, unknown_fields, ..Options::default() }
}

/// Looks for local packages; none when the text can go as it is.
///
/// `package` is a file that holds the code of the one component in the text.
pub(crate) fn local(text: &Text, files: &Files, package: Option<&Path>) -> Result<Option<Local>, Error> {
    let read = match isthmus_dialects::read(&text.bytes, &options(files)) {
        Ok(read) => read,
        // The gateway says the same, unless files must be looked for in it.
        Err(_) if package.is_none() => return Ok(None),
        Err(problems) => return Err(Error::Invalid { file: text.name.clone(), problems }),
    };
    let mut found = Local { name: text.name.clone(), drafts: Vec::new(), packages: Vec::new() };
    let mut problems = Vec::new();
    for written in read.drafts {
        let paths_are_files = written.origin().dialect() == Form::PulsarConfig;
        let draft = written.draft().clone();
        let path = |package: &PackageRef| path(package, &text.directory, paths_are_files);
        found.packages.push(Packages {
            code: draft.spec.runtime.as_ref().and_then(|runtime| path(runtime.package())),
            transform: draft.spec.transform.as_ref().and_then(|transform| path(&transform.package)),
        });
        found.drafts.push(draft);
        if let Err(wrong) = written.into_draft() {
            problems.extend(wrong);
        }
    }
    if let Some(file) = package {
        match found.packages.as_mut_slice() {
            [one] => one.code = Some(file.to_path_buf()),
            many => {
                let count = many.len();
                return Err(Error::Usage(format!(
                    "--package is for a file with one component, but {} has {count}; name the package in the file",
                    text.name
                )));
            }
        }
    }
    if found.packages.iter().all(|packages| packages.code.is_none() && packages.transform.is_none()) {
        return Ok(None);
    }
    if !problems.is_empty() {
        return Err(Error::Invalid { file: text.name.clone(), problems });
    }
    read.warnings.iter().for_each(|warning| output::say(&format!("warning: {}: {warning}", text.name)));
    Ok(Some(found))
}

/// The file that a package lies in, if it lies on this machine.
fn path(package: &PackageRef, directory: &Path, paths_are_files: bool) -> Option<PathBuf> {
    let local = match package.location.strip_prefix("file://") {
        Some(path) => path,
        // Pulsar's tools take a path of this machine where they do not find a URL.
        None if paths_are_files && package.location.is_empty() && !package.file.is_empty() => &package.file,
        None => return None,
    };
    Some(directory.join(local))
}

impl Local {
    /// All local files, each once.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let each = self.packages.iter().flat_map(|packages| [&packages.code, &packages.transform]);
        let mut files: Vec<_> = each.flatten().cloned().collect();
        files.sort();
        files.dedup();
        files
    }

    /// The text with every local package replaced; `stored` knows every one of [`Local::files`].
    pub(crate) fn into_text(self, stored: impl Fn(&Path) -> Option<Stored>) -> Result<Vec<u8>, Error> {
        let Self { name, drafts, packages } = self;
        let lost = |path: &Path| Error::Usage(format!("{name}: {} was not uploaded", path.display()));
        let mut documents = Vec::new();
        for (mut draft, Packages { code, transform }) in drafts.into_iter().zip(packages) {
            if let Some(path) = code {
                let Stored { file, location } = stored(&path).ok_or_else(|| lost(&path))?;
                let runtime = draft.spec.runtime.get_or_insert_with(|| runtime_of(&file));
                *runtime.package_mut() = PackageRef { file, location, digest: None };
            }
            if let (Some(path), Some(transform)) = (transform, draft.spec.transform.as_mut()) {
                let Stored { file, location } = stored(&path).ok_or_else(|| lost(&path))?;
                transform.package = PackageRef { file, location, digest: None };
            }
            documents.push(output::yaml(&native::draft_to_value(&draft))?);
        }
        Ok(documents.join("---\n").into_bytes())
    }
}

/// What runs a file, when only the file is known.
fn runtime_of(file: &str) -> Runtime {
    let package = PackageRef::default();
    match Path::new(file).extension().and_then(|extension| extension.to_str()) {
        Some("py" | "zip" | "whl") => Runtime::Python { package, log: None },
        Some("jar" | "nar") => Runtime::Java {
            package,
            extra_dependencies_dir: String::new(),
            java_opts: Vec::new(),
            instance_path: String::new(),
            entry_class: String::new(),
            log: None,
        },
        _ => Runtime::Go { package, log: None },
    }
}

impl From<Dialect> for WireDialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Auto => Self::Unspecified,
            Dialect::Kubernetes => Self::Kubernetes,
            Dialect::FunctionConfig => Self::FunctionConfig,
            Dialect::SourceConfig => Self::SourceConfig,
            Dialect::SinkConfig => Self::SinkConfig,
        }
    }
}

impl From<Validate> for WireUnknownFields {
    fn from(validate: Validate) -> Self {
        match validate {
            Validate::Strict => Self::Error,
            Validate::Warn => Self::Warn,
            Validate::Ignore => Self::Ignore,
        }
    }
}

#[cfg(test)]
mod tests;
