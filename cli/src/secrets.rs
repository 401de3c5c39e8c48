//! Secrets that travel with components: values from files and variables of this machine, sealed here for the clusters that may run
//! the components. They are on no command line and in no request in clear.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use isthmus_dialects::Read;
use isthmus_model::component::{Draft, SecretRef};
use isthmus_model::name::FullName;
use isthmus_model::sealed::SealingKey;
use isthmus_proto::component::v1::{ListSealingKeysRequest, SealedSecrets};
use isthmus_sealing::{Values, seal};
use zeroize::Zeroizing;

use crate::args::{Assignment, Files, Secrets};
use crate::client::{Bound, Client};
use crate::error::Error;
use crate::manifest::{self, Text};

/// Reads the values that are named on the command line.
pub(crate) fn read(secrets: &Secrets, variable: impl Fn(&str) -> Option<String>) -> Result<Values, Error> {
    let mut values = Values::default();
    let mut take = |name: &str, value: Zeroizing<String>| {
        if values.get(name).is_some() {
            return Err(Error::Usage(format!("secret {name} is given twice")));
        }
        values.insert(name.to_owned(), value);
        Ok(())
    };
    for Assignment { name, value: path } in &secrets.secret_files {
        take(name, from_file(name, Path::new(path))?)?;
    }
    for Assignment { name, value: from } in &secrets.secret_variables {
        let missing =
            || Error::Usage(format!("secret {name}: there is no variable {from}, or it is not text"));
        take(name, variable(from).map(Zeroizing::new).ok_or_else(missing)?)?;
    }
    Ok(values)
}

/// A file's text, without the line break that editors add.
fn from_file(name: &str, path: &Path) -> Result<Zeroizing<String>, Error> {
    let doing = || format!("secret {name} cannot be read from {}", path.display());
    let mut text =
        Zeroizing::new(std::fs::read_to_string(path).map_err(|error| Error::here(doing(), error))?);
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// A component of a text with the secrets that travel with it.
#[derive(Debug)]
struct Needs {
    name: FullName,
    draft: Draft,
    secrets: BTreeSet<String>,
}

/// Seals the values for the components of these texts; the answer has one map for each text. Every value must be used, and what
/// uses one gets all that it needs: a component's secrets are sealed together.
pub(crate) async fn seal_all(
    client: &Client,
    texts: &[Text],
    files: &Files,
    values: &Values,
    warn: impl Fn(&str, &str),
) -> Result<Vec<BTreeMap<String, SealedSecrets>>, Error> {
    let needs = texts.iter().map(|text| needs(text, files, values)).collect::<Result<Vec<_>, _>>()?;
    let used: BTreeSet<&str> =
        needs.iter().flatten().flat_map(|needs| needs.secrets.iter().map(String::as_str)).collect();
    if let Some((unused, _)) = values.iter().find(|(name, _)| !used.contains(name)) {
        let message = format!(
            "secret {unused} is given, but no component of the files has a secret of this name without path and key"
        );
        return Err(Error::Usage(message));
    }
    let mut sealed = Vec::with_capacity(texts.len());
    for (text, needs) in texts.iter().zip(needs) {
        let mut of_text = BTreeMap::new();
        for needs in needs {
            let warn = |message: &str| warn(&text.name, message);
            of_text.insert(needs.name.to_string(), seal_one(client, needs, values, warn).await?);
        }
        sealed.push(of_text);
    }
    Ok(sealed)
}

/// The components of a text that use one of the values.
fn needs(text: &Text, files: &Files, values: &Values) -> Result<Vec<Needs>, Error> {
    let invalid = |problems| Error::Invalid { file: text.name.clone(), problems };
    let Read { drafts, .. } =
        isthmus_dialects::read(&text.bytes, &manifest::options(files)).map_err(invalid)?;
    let mut found = Vec::new();
    for written in drafts {
        let draft = written.draft();
        let sealed = draft.spec.secrets.iter().filter(|(_, secret)| SecretRef::is_sealed(secret));
        let secrets: BTreeSet<String> = sealed.map(|(name, _)| name.clone()).collect();
        if secrets.iter().all(|name| values.get(name).is_none()) {
            continue;
        }
        if let Some(missing) = secrets.iter().find(|name| values.get(name).is_none()) {
            let component = &draft.name;
            return Err(Error::Usage(format!(
                "{}: the secrets of {component} are sealed together, and there is no value of {missing}; give it, too",
                text.name
            )));
        }
        let name = FullName::new(&draft.tenant, &draft.namespace, &draft.name)
            .map_err(|error| Error::Usage(format!("{}: {error}", text.name)))?;
        found.push(Needs { name, draft: draft.clone(), secrets });
    }
    Ok(found)
}

async fn seal_one(
    client: &Client,
    needs: Needs,
    values: &Values,
    warn: impl Fn(&str),
) -> Result<SealedSecrets, Error> {
    let Needs { name, draft, secrets } = needs;
    let request =
        ListSealingKeysRequest { name: Some((&name).into()), placement: Some(draft.placement.into()) };
    let answer = client.sealing(Bound::Unary).list_sealing_keys(request).await;
    let answer = client.answer(format!("asking for the keys to seal the secrets of {name} to"), answer)?;
    for cluster in &answer.clusters_without_key {
        warn(&format!("{name} cannot run on cluster {cluster}, whose agent is too old to open secrets"));
    }
    let doing = || format!("the secrets of {name} cannot be sealed");
    let key = |key: &[u8]| SealingKey::from_slice(key).map_err(|error| Error::here(doing(), error));
    let keys = answer.keys.iter().map(|answer| key(&answer.public_key)).collect::<Result<_, _>>()?;
    let own = values.iter().filter(|(name, _)| secrets.contains(*name));
    let own: Values = own.map(|(name, value)| (name.to_owned(), Zeroizing::new(value.to_owned()))).collect();
    let sealed = seal(&name, &own, &keys).map_err(|error| Error::here(doing(), error))?;
    Ok((&sealed).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(text: &str) -> Assignment {
        text.parse().unwrap()
    }

    #[test]
    fn values_come_from_files_and_variables_and_from_each_name_once() {
        let directory = std::env::temp_dir().join(format!("isthmus-secrets-{}", std::process::id()));
        std::fs::write(&directory, "hunter2\n").unwrap();
        let secrets = Secrets {
            secret_files: vec![assignment(&format!("PASSWORD={}", directory.display()))],
            secret_variables: vec![assignment("TOKEN=MY_TOKEN")],
        };
        let variable = |name: &str| (name == "MY_TOKEN").then(|| "t0ken".to_owned());
        let values = read(&secrets, variable).unwrap();
        assert_eq!(values.iter().collect::<Vec<_>>(), [("PASSWORD", "hunter2"), ("TOKEN", "t0ken")]);
        let twice = Secrets { secret_variables: vec![assignment("A=MY_TOKEN"); 2], ..Secrets::default() };
        assert!(read(&twice, variable).unwrap_err().to_string().contains("given twice"));
        let absent = Secrets { secret_variables: vec![assignment("A=ABSENT")], ..Secrets::default() };
        assert!(read(&absent, variable).unwrap_err().to_string().contains("no variable ABSENT"));
        std::fs::remove_file(&directory).unwrap();
        let error = read(&secrets, variable).unwrap_err();
        assert!(error.to_string().contains("secret PASSWORD cannot be read"), "{error}");
    }

    #[test]
    fn a_component_that_uses_a_value_needs_all_of_its_own() {
        let text = |secrets: &str| {
            Text {
            name: "greet.yaml".to_owned(),
            directory: ".".into(),
            bytes: format!(
                "apiVersion: isthmus.io/v1\nkind: Function\nmetadata: {{name: greet}}\nspec: {{secrets: {secrets}}}\n"
            )
            .into_bytes(),
        }
        };
        let values: Values = [("A".to_owned(), Zeroizing::new("1".to_owned()))].into_iter().collect();
        let needs = |secrets| needs(&text(secrets), &Files::default(), &values);
        let found = needs("{A: {}, NAMED: {path: db, key: k}}").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name.to_string(), "public/default/greet");
        assert_eq!(found[0].secrets, ["A".to_owned()].into());
        assert!(needs("{A: {path: db, key: k}}").unwrap().is_empty());
        assert!(needs("{B: {}}").unwrap().is_empty());
        let error = needs("{A: {}, B: {}}").unwrap_err().to_string();
        assert!(error.contains("no value of B"), "{error}");
    }
}
