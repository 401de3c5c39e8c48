//! `config …`: the profiles' file.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use isthmus_model::component::Redacted;
use isthmus_model::name::{Namespace, Tenant};
use isthmus_model::profile::{Pem, PemSource, Profile};
use serde_json::{Value, json};

use super::Context;
use crate::args::Config;
use crate::error::Error;
use crate::output::{self, Column, Listing, Output, Record};
use crate::request::ProfilesFile;
use crate::view::or_dash;

const COLUMNS: &[Column] = &[
    Column::text("CURRENT"),
    Column::text("NAME"),
    Column::text("SERVER"),
    Column::text("CALLER"),
    Column::text("NAMESPACE"),
];

pub(super) fn run(context: &Context<'_>, args: Config) -> Result<Output, Error> {
    let mut file = context.profiles()?;
    match args {
        Config::GetProfiles => Ok(listing(&file)),
        Config::UseProfile { name } => {
            if !file.profiles.profiles.contains_key(&name) {
                let path = file.path.display();
                return Err(Error::Usage(format!(
                    "there is no profile {name:?} in {path}; see isthmus config get-profiles"
                )));
            }
            file.profiles.current_profile = Some(name.clone());
            write(&file)?;
            Ok(Output::said(format!("profile {name} is used from now on"), json!({"currentProfile": name})))
        }
        Config::View => {
            file.profiles.profiles.values_mut().for_each(hide);
            let value = serde_json::to_value(&file.profiles);
            let value = value.map_err(|error| Error::here("the profiles cannot be shown", error))?;
            let text = format!("# {}\n{}", file.path.display(), output::yaml(&value)?);
            Ok(Output::Text { text, value })
        }
    }
}

fn listing(file: &ProfilesFile) -> Output {
    let current = file.profiles.current_profile.as_deref();
    let records = file.profiles.profiles.iter().map(|(name, profile)| {
        let caller =
            match (&profile.client_certificate, profile.token.is_some() || profile.token_file.is_some()) {
                (Some(_), _) => "certificate",
                (None, true) => "token",
                (None, false) => "",
            };
        let tenant = profile.tenant.as_deref().unwrap_or(Tenant::DEFAULT);
        let namespace = profile.namespace.as_deref().unwrap_or(Namespace::DEFAULT);
        let is_current = current == Some(name.as_str());
        let cells = vec![
            if is_current { "*".to_owned() } else { String::new() },
            name.clone(),
            profile.server.clone(),
            or_dash(caller),
            format!("{tenant}/{namespace}"),
        ];
        let value = json!({"name": name, "server": profile.server, "current": is_current});
        Record { name: name.clone(), cells, value }
    });
    Output::Listings(vec![Listing { columns: COLUMNS, records: records.collect(), single: false }])
}

/// Takes out what is secret; a certificate is not, but nobody wants to read one.
fn hide(profile: &mut Profile) {
    let hidden = "(inline)";
    for pem in [&mut profile.certificate_authority, &mut profile.client_certificate, &mut profile.client_key]
    {
        if let Some(PemSource::Inline(_)) = pem.as_ref().map(Pem::source) {
            *pem = Some(Pem::file(Path::new(hidden)));
        }
    }
    if profile.token.is_some() {
        profile.token = Some(Redacted("(redacted)".to_owned()));
    }
}

/// Replaces the file at once, so that nobody ever reads half of it, and only its owner can read it.
fn write(file: &ProfilesFile) -> Result<(), Error> {
    let ProfilesFile { path, profiles } = file;
    let doing = format!("the profiles in {} cannot be written", path.display());
    let value: Value = serde_json::to_value(profiles).map_err(|error| Error::here(doing.clone(), error))?;
    let text = output::yaml(&value)?;
    let part = path.with_extension("yaml.part");
    let replace = || {
        // One that was left behind may have other permissions.
        let _ = std::fs::remove_file(&part);
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        std::fs::rename(&part, path)
    };
    replace().map_err(|error| Error::here(doing, error))
}
