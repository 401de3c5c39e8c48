use super::*;

fn file(text: &str) -> ProfilesFile {
    ProfilesFile {
        path: PathBuf::from("/nowhere/config.yaml"),
        profiles: serde_saphyr::from_str(text).unwrap(),
    }
}

const TWO: &str = "
currentProfile: a
profiles:
  a:
    server: https://a:7443
    certificateAuthority: |
      -----BEGIN CERTIFICATE-----
      root
    clientCertificate: |
      -----BEGIN CERTIFICATE-----
      leaf
    clientKey: |
      -----BEGIN PRIVATE KEY-----
      key
    tenant: acme
  b:
    server: http://localhost:7080
    token: secret-b
    namespace: orders
";

fn why(result: Result<Request, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_current_profile_is_used_unless_another_is_named() {
    let file = file(TWO);
    let a = resolve(&Global::default(), &file).unwrap();
    assert_eq!((a.server.as_str(), a.token), ("https://a:7443", None));
    assert!(a.identity.is_some());
    let b = resolve(&Global { profile: Some("b".into()), ..Global::default() }, &file).unwrap();
    assert_eq!((b.server.as_str(), b.token), ("http://localhost:7080", Some(Redacted("secret-b".into()))));
    let missing = resolve(&Global { profile: Some("c".into()), ..Global::default() }, &file);
    assert!(why(missing).ends_with("it has: a, b"));
}

#[test]
fn a_typed_token_replaces_the_profiles_certificate() {
    let typed = resolve(&Global { token: Some("t".into()), ..Global::default() }, &file(TWO)).unwrap();
    assert_eq!((typed.identity, typed.token), (None, Some(Redacted("t".into()))));
}

#[test]
fn only_this_machine_is_spoken_to_without_tls() {
    let to = |server: &str| resolve(&Global { server: Some(server.into()), ..Global::default() }, &file(TWO));
    for good in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://elsewhere:1"] {
        assert!(to(good).is_ok(), "{good}");
    }
    for bad in ["http://elsewhere:1", "http://localhost.example:1", "elsewhere:1", "ftp://localhost"] {
        assert!(why(to(bad)).contains("https://"), "{bad}");
    }
    let no_roots =
        resolve(&Global { server: Some("https://a".into()), ..Global::default() }, &file("profiles: {}"));
    assert!(why(no_roots).contains("--certificate-authority"));
    assert!(why(resolve(&Global::default(), &file("profiles: {}"))).contains("--server"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_a_secret_in_it_is_not_shown() {
    let text = "profiles: {a: {server: 'https://a', certificateAuthority: missing.crt}, b: {server: 'http://localhost', token: hunter2}}";
    let wrong = resolve(&Global { profile: Some("a".into()), ..Global::default() }, &file(text));
    assert!(why(wrong).contains("/nowhere/missing.crt"));
    let b = resolve(&Global { profile: Some("b".into()), ..Global::default() }, &file(text)).unwrap();
    assert!(!format!("{b:?}").contains("hunter2"));
}

#[test]
fn a_namespace_may_bring_its_tenant() {
    let of = |tenant: Option<&str>, namespace: Option<&str>| {
        let typed = |text: Option<&str>| text.map(str::to_owned);
        let global = Global { tenant: typed(tenant), namespace: typed(namespace), ..Global::default() };
        scope(&global, &file(TWO)).map(|scope| format!("{}/{}", scope.tenant, scope.namespace))
    };
    assert_eq!(of(None, None).unwrap(), "acme/default");
    assert_eq!(of(None, Some("n")).unwrap(), "acme/n");
    assert_eq!(of(None, Some("t/n")).unwrap(), "t/n");
    assert_eq!(of(Some("t"), Some("t/n")).unwrap(), "t/n");
    assert!(of(Some("u"), Some("t/n")).is_err());
}
