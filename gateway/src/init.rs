//! `isthmus-gateway init`: a new federation, ready to be served.
//!
//! It makes the certificate authority, the first commit (the administrator's binding) and the administrator's profile, and
//! where there is no configuration file yet, that. Nothing that is finished is overwritten; what it makes that is secret is
//! readable by its owner only.
//!
//! It may be killed at any point and run again. A federation exists from the moment on that its key has its name; until then the
//! key lies beside that, and tells a certificate that was left half made from one whose key is lost.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use isthmus_daemon::clock::{Clock, SystemClock};
use isthmus_daemon::config::{self, Source};
use isthmus_daemon::program::Settings as _;
use isthmus_model::access::{Binding, Role, Scope};
use isthmus_model::name::PrincipalName;
use isthmus_model::profile::{Pem, Profile, Profiles};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use crate::clock::unix_millis;
use crate::cluster::authority::{self, Authority, Keyed};
use crate::config::{Config, ENV_PREFIX, Server};
use crate::store::command::ResourceChange;
use crate::store::sqlite::SqliteEngine;
use crate::store::writer::Failure;
use crate::store::{self, Command, Rejection, Submission, engine};

/// What may be said to `init`.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Configuration file; made if it does not exist.
    #[arg(long, value_name = "FILE", default_value = "/etc/isthmus/gateway.yaml")]
    config: PathBuf,
    /// Name of the federation, for a configuration file that is made now.
    #[arg(long, value_name = "NAME")]
    federation: Option<String>,
    /// Data directory, for a configuration file that is made now.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// File that gets the administrator's profile [default: where isthmus looks for it].
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Name of the administrator.
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin: String,
}

/// Why a federation was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The configuration cannot be written.
    #[error("cannot print the configuration")]
    Dump(#[source] config::DumpError),
    /// There is a federation already.
    #[error("{} exists: this gateway has a federation already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// There was a federation.
    #[error(
        "{} exists without its key {}: put the key back, or name another data directory for a new federation; nothing was changed",
        certificate.display(),
        key.display()
    )]
    NoKey {
        /// The certificate of its root.
        certificate: PathBuf,
        /// Where the key should be.
        key: PathBuf,
    },
    /// The administrator's name is none.
    #[error("cannot name the administrator")]
    Admin(#[source] isthmus_model::name::Invalid),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// The file system's word.
        source: std::io::Error,
    },
    /// The profile cannot be added to the file.
    #[error("cannot add a profile to {}: {problem}", path.display())]
    Profile {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no place for the profile.
    #[error("there is no place for the administrator's profile; say --profile FILE")]
    NoPlace,
    /// A certificate cannot be made.
    #[error("cannot make the certificate authority")]
    Authority(#[source] authority::Error),
    /// The store cannot be opened.
    #[error("cannot open the store")]
    Engine(#[source] engine::Error),
    /// The store cannot be opened.
    #[error("cannot open the store")]
    Store(#[source] store::OpenError),
    /// The administrator's binding was refused.
    #[error("cannot record the administrator's role")]
    Binding(#[source] Rejection),
    /// The log cannot be written.
    #[error("cannot write the log")]
    Writer(#[source] Failure),
}

/// Makes a federation, and says in a few lines what was made.
pub async fn init(options: Options) -> Result<String, Error> {
    let (config, made) = configure(&options)?;
    let admin = PrincipalName::new(&options.admin).map_err(Error::Admin)?;
    let profile_file = options.profile.clone().or_else(default_profile).ok_or(Error::NoPlace)?;
    let (certificate, key) = (config.root_certificate(), config.root_key());
    if key.exists() {
        return Err(Error::Exists(key));
    }
    let new_key = beside(&key);
    if certificate.exists() && !new_key.exists() {
        return Err(Error::NoKey { certificate, key });
    }
    // Read before anything is made, so that a file that cannot be extended leaves no half-made federation behind.
    let mut profiles = read_profiles(&profile_file)?;

    let clock = SystemClock;
    let (authority, root) = Authority::create(&config.federation, clock.now()).map_err(Error::Authority)?;
    let keyed = authority.client(&admin, clock.now()).map_err(Error::Authority)?;
    make_dir(&config.data)?;
    bind(&config, admin.clone(), Arc::new(clock)).await?;
    // Never without it from here on, in a later attempt neither: it is replaced, not written anew.
    replace(&new_key, &root.key_pem, 0o600)?;
    replace(&certificate, &root.certificate_pem, 0o644)?;
    add(&mut profiles, &config, &root.certificate_pem, &keyed);
    write_profiles(&profile_file, &profiles)?;
    if let Some(text) = made {
        if let Some(dir) = options.config.parent() {
            make_dir(dir)?;
        }
        replace(&options.config, &text, 0o644)?;
    }
    put_in_place(&new_key, &key)?;
    Ok(format!(
        "federation {} is ready\n  data           {}\n  configuration  {}\n  profile of {admin}  {}\nstart it:  isthmus-gateway --config {}",
        config.federation,
        config.data.display(),
        options.config.display(),
        profile_file.display(),
        options.config.display(),
    ))
}

/// The configuration, and its text if there is no file with it yet.
fn configure(options: &Options) -> Result<(Config, Option<String>), Error> {
    let exists = options.config.exists();
    let file = exists.then(|| options.config.clone());
    let mut config: Config = config::load(Source::of_process(file, ENV_PREFIX))?;
    if !exists {
        config.federation = options.federation.clone().unwrap_or(config.federation);
        config.data = options.data.clone().unwrap_or(config.data);
    }
    config.check()?;
    let text = (!exists).then(|| config::dump(&config)).transpose().map_err(Error::Dump)?;
    Ok((config, text))
}

/// The administrator's role is the first commit of the log.
async fn bind(config: &Config, admin: PrincipalName, clock: Arc<dyn Clock>) -> Result<(), Error> {
    let engine = SqliteEngine::open(&config.store_dir()).map_err(Error::Engine)?;
    let (store, writer) = store::open(engine, clock.clone(), config.store).map_err(Error::Store)?;
    let stop = CancellationToken::new();
    let binding =
        Binding { principal: admin.clone(), role: Role::Admin, scope: Scope::Federation, deny: false };
    let submission = Submission {
        principal: admin,
        time: unix_millis(&*clock),
        request: None,
        command: Command::Resource(ResourceChange::PutBinding(binding)),
    };
    let ask = async {
        let answer = store.submit(submission).await;
        stop.cancel();
        answer
    };
    let (answer, written) = tokio::join!(ask, writer.run(stop.clone()));
    answer.map_err(Error::Binding)?;
    written.map_err(Error::Writer)
}

fn add(profiles: &mut Profiles, config: &Config, root: &str, keyed: &Keyed) {
    let profile = Profile {
        server: format!("https://{}", reached_at(&config.server)),
        certificate_authority: Some(Pem::inline(root)),
        client_certificate: Some(Pem::inline(chain_pem(&keyed.issued.chain))),
        client_key: Some(Pem::inline(&keyed.key_pem)),
        ..Profile::default()
    };
    profiles.profiles.insert(config.federation.clone(), profile);
    profiles.current_profile.get_or_insert_with(|| config.federation.clone());
}

/// Where callers find the gateway: where agents do, or else by the first of its names.
fn reached_at(server: &Server) -> String {
    let own = || {
        let host = server.names.first().map_or("localhost", String::as_str);
        format!("{host}:{}", server.listen.port())
    };
    server.advertise.first().cloned().unwrap_or_else(own)
}

fn chain_pem(chain: &[CertificateDer<'static>]) -> String {
    chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
}

/// RFC 7468: base64 in lines of 64.
fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn default_profile() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (own, xdg, home) = (variable("ISTHMUS_CONFIG"), variable("XDG_CONFIG_HOME"), variable("HOME"));
    Profiles::path(own.as_deref(), xdg.as_deref(), home.as_deref())
}

fn read_profiles(path: &Path) -> Result<Profiles, Error> {
    let problem = |problem: String| Error::Profile { path: path.to_owned(), problem };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let profiles: Option<Profiles> =
                serde_saphyr::from_str(&text).map_err(|error| problem(error.to_string()))?;
            Ok(profiles.unwrap_or_default())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Profiles::default()),
        Err(error) => Err(problem(error.to_string())),
    }
}

/// Other profiles in the file survive whatever happens.
fn write_profiles(path: &Path, profiles: &Profiles) -> Result<(), Error> {
    let text = serde_saphyr::to_string(profiles)
        .map_err(|error| Error::Profile { path: path.to_owned(), problem: error.to_string() })?;
    if let Some(dir) = path.parent() {
        make_dir(dir)?;
    }
    replace(path, &text, 0o600)
}

fn make_dir(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.to_owned(), source })
}

/// Written beside and renamed: what is there is whole, before and after.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let new = beside(path);
    write(&new, text, mode)?;
    put_in_place(&new, path)
}

/// Where a file lies until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Writes a file of an earlier attempt anew, so that its mode is this one.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let write = || {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn put_in_place(new: &Path, path: &Path) -> Result<(), Error> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let renamed = std::fs::rename(new, path).and_then(|()| File::open(dir)?.sync_all());
    renamed.map_err(|source| Error::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
