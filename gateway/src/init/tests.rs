use super::*;

/// Everything of a federation is below one directory.
fn options(dir: &Path) -> Options {
    Options {
        config: dir.join("etc/gateway.yaml"),
        federation: Some("acme".into()),
        data: Some(dir.join("data")),
        profile: Some(dir.join("profile.yaml")),
        admin: "admin".into(),
    }
}

fn files(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("data/ca.crt"), dir.join("data/ca.key"))
}

#[tokio::test]
async fn what_was_interrupted_is_finished_by_the_next_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = files(dir.path());
    // The configuration cannot be written, which comes after the certificate and before the key.
    std::fs::write(dir.path().join("etc"), "").unwrap();
    assert!(matches!(init(options(dir.path())).await, Err(Error::Write { .. })));
    assert!(certificate.exists() && !key.exists());

    std::fs::remove_file(dir.path().join("etc")).unwrap();
    init(options(dir.path())).await.unwrap();

    Authority::load("acme", &certificate, &key).unwrap();
    let profile = read_profiles(&dir.path().join("profile.yaml")).unwrap().profiles.remove("acme").unwrap();
    let root = std::fs::read_to_string(&certificate).unwrap();
    assert_eq!(profile.certificate_authority, Some(Pem::inline(root)));
}

#[tokio::test]
async fn a_federation_is_made_once_and_nothing_of_it_is_left_half_made() {
    let dir = tempfile::tempdir().unwrap();
    init(options(dir.path())).await.unwrap();
    let (certificate, key) = files(dir.path());
    let read = || (std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap());
    let before = read();

    assert!(matches!(init(options(dir.path())).await, Err(Error::Exists(path)) if path == key));

    assert_eq!(read(), before);
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(&dir.path().join("profile.yaml")), 0o600);
    let names = |dir: PathBuf| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let all: Vec<_> =
        ["", "data", "etc"].into_iter().flat_map(|folder| names(dir.path().join(folder))).collect();
    assert!(!all.iter().any(|name| name.to_string_lossy().ends_with(".new")), "{all:?}");
}

#[tokio::test]
async fn a_root_whose_key_is_lost_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    init(options(dir.path())).await.unwrap();
    let (certificate, key) = files(dir.path());
    let before = std::fs::read(&certificate).unwrap();
    std::fs::remove_file(&key).unwrap();

    let error = init(options(dir.path())).await.unwrap_err();

    assert!(matches!(error, Error::NoKey { .. }), "{error}");
    assert_eq!(std::fs::read(&certificate).unwrap(), before);
}

#[test]
fn callers_are_told_where_the_gateway_is_reached_and_not_where_it_listens() {
    let mut server = Server { names: vec!["gateway.example.com".into()], ..Server::default() };
    assert_eq!(reached_at(&server), "gateway.example.com:7443");
    server.advertise = vec!["lb.example.com:443".into(), "other.example.com:443".into()];
    assert_eq!(reached_at(&server), "lb.example.com:443");
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
