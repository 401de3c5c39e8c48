use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Server {
    listen: SocketAddr,
    #[serde(with = "humantime_serde")]
    drain: Duration,
    #[serde(with = "size")]
    message: ByteSize,
    workers: u16,
    token: Option<Secret>,
    names: Vec<String>,
    mode: Mode,
    motto: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:6650".parse().unwrap(),
            drain: Duration::from_secs(20),
            message: ByteSize::mib(4),
            workers: 2,
            token: None,
            names: vec!["one".into()],
            mode: Mode::Quiet,
            motto: String::new(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Quiet,
    Loud,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    server: Server,
}

fn from_env(variables: &[(&str, &str)]) -> Result<Config, Error> {
    from(None, variables)
}

fn from(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, Error> {
    let written = file.map(|text| {
        let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    });
    load(Source {
        file: written.as_ref().map(|file| file.path().to_owned()),
        env_prefix: "APP",
        env: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    })
}

fn refusal(variables: &[(&str, &str)]) -> String {
    from_env(variables).unwrap_err().to_string()
}

#[test]
fn without_file_and_variables_the_defaults_hold() {
    assert_eq!(from_env(&[]).unwrap(), Config::default());
    assert_eq!(from(Some("# nothing yet\n"), &[]).unwrap(), Config::default());
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "server:\n  workers: 4\n  drain: 5s\n  names: [a, b]\n";
    let config = from(Some(file), &[("APP__SERVER__WORKERS", "8"), ("OTHER", "x")]).unwrap();
    let expected = Server {
        workers: 8,
        drain: Duration::from_secs(5),
        names: vec!["a".into(), "b".into()],
        ..Server::default()
    };
    assert_eq!(config.server, expected);
}

#[test]
fn variables_are_read_as_the_type_their_key_has() {
    let config = from_env(&[
        ("APP__SERVER__DRAIN", "1m 30s"),
        ("APP__SERVER__MESSAGE", "64 KiB"),
        ("APP__SERVER__NAMES", "[x, y]"),
        ("APP__SERVER__MOTTO", "007"),
        ("APP__SERVER__TOKEN", "123456"),
        ("APP__SERVER__MODE", "loud"),
    ])
    .unwrap()
    .server;
    assert_eq!(config.drain, Duration::from_secs(90));
    assert_eq!(config.message, ByteSize::kib(64));
    assert_eq!(config.names, ["x", "y"]);
    assert_eq!(config.motto, "007");
    assert_eq!(config.token.unwrap().expose(), "123456");
    assert_eq!(config.mode, Mode::Loud);
}

#[test]
fn a_bad_value_names_key_value_expectation_and_variable() {
    assert_eq!(
        refusal(&[("APP__SERVER__LISTEN", "banana")]),
        "configuration key `server.listen`: \"banana\" is refused: invalid socket address syntax \
         (from environment variable APP__SERVER__LISTEN)"
    );
    assert_eq!(
        refusal(&[("APP__SERVER__WORKERS", "99999")]),
        "configuration key `server.workers`: 99999 is refused, expected u16 \
         (from environment variable APP__SERVER__WORKERS)"
    );
    assert_eq!(
        refusal(&[("APP__SERVER__MODE", "shrill")]),
        "configuration key `server.mode`: \"shrill\" is refused, expected one of: quiet, loud \
         (from environment variable APP__SERVER__MODE)"
    );
    assert_eq!(
        refusal(&[("APP__SERVER__MESSAGE", "big")]),
        "configuration key `server.message`: \"big\" is refused, expected a size such as 64 MiB, or a number of \
         bytes (from environment variable APP__SERVER__MESSAGE)"
    );
    let duration = refusal(&[("APP__SERVER__DRAIN", "10")]);
    assert!(duration.starts_with("configuration key `server.drain`: \"10\" is refused"), "{duration}");
}

#[test]
fn a_bad_value_in_the_file_names_the_file() {
    let error = from(Some("server:\n  workers: many\n"), &[]).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "configuration key `server.workers`: \"many\" is refused, expected u16 (from file /"
        ),
        "{error}"
    );
    assert!(error.ends_with(".yaml)"), "{error}");
}

#[test]
fn an_unknown_key_is_refused_with_the_keys_that_are_known_there() {
    assert_eq!(
        refusal(&[("APP__SERVER__LISTTEN", "x")]),
        "configuration key `server.listten` is unknown (from environment variable APP__SERVER__LISTTEN); \
         known here: drain, listen, message, mode, motto, names, token, workers"
    );
    let error = from(Some("serverr: {}\n"), &[]).unwrap_err().to_string();
    assert!(error.contains("key `serverr` is unknown") && error.contains("known here: server"), "{error}");
}

#[test]
fn a_missing_key_tells_how_to_set_it() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Strict {
        cluster: Cluster,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Cluster {
        name: String,
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "cluster: {}\n").unwrap();
    let source = Source { file: Some(file.path().to_owned()), env_prefix: "APP", env: Vec::new() };
    let error = load::<Strict, _>(source).unwrap_err();
    assert_eq!(
        error.to_string(),
        "configuration key `cluster.name` is missing: set it in the file, or as environment variable \
         APP__CLUSTER__NAME"
    );
}

#[test]
fn a_variable_that_spells_no_key_is_refused() {
    assert!(
        refusal(&[("APP__SERVER____LISTEN", "x")])
            .contains("APP__SERVER____LISTEN names no configuration key")
    );
}

#[test]
fn a_file_that_is_missing_or_not_yaml_is_named() {
    let source = Source { file: Some("/nowhere/isthmus.yaml".into()), env_prefix: "APP", env: Vec::new() };
    let error = load::<Config, _>(source).unwrap_err();
    assert_eq!(error.to_string(), "cannot read configuration file /nowhere/isthmus.yaml");
    let error = from(Some("server: [unclosed\n"), &[]).unwrap_err().to_string();
    assert!(error.contains("is not valid YAML: ") && !error.contains('\n'), "{error}");
    let error = from(Some("- a\n- b\n"), &[]).unwrap_err().to_string();
    assert!(error.contains("is not valid YAML: "), "{error}");
}

#[test]
fn secrets_are_seen_neither_in_debug_nor_in_a_dump_nor_in_an_error() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Numeric {
        pin: Secret<u16>,
    }
    let config = from_env(&[("APP__SERVER__TOKEN", "hunter2")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!dump(&config).unwrap().contains("hunter2"));
    let source =
        Source { file: None, env_prefix: "APP", env: [("APP__PIN".to_owned(), "hunter2".to_owned())] };
    let error = load::<Numeric, _>(source).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    assert!(error.to_string().contains("`pin`: the secret is refused"), "{error}");
}

#[test]
fn a_dump_reads_back_as_the_same_configuration() {
    let config = from_env(&[("APP__SERVER__MESSAGE", "10000000"), ("APP__SERVER__DRAIN", "1500ms")]).unwrap();
    let text = dump(&config).unwrap();
    assert_eq!(from(Some(&text), &[]).unwrap(), config, "{text}");
}

#[test]
fn a_refused_configuration_ends_with_usage() {
    assert_eq!(Error::EXIT_CODE, 64);
}
