use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

/// A certificate authority that signs for anybody.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) root: CertificateDer<'static>,
    root_pem: String,
}

struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pem: (String, String),
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (root, root_pem) = (certificate.der().clone(), certificate.pem());
        Self { issuer: Issuer::new(params, key), root, root_pem }
    }

    fn leaf(&self, name: &str) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.into()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pem = (certificate.pem(), key.serialize_pem());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Leaf { chain: vec![certificate.der().clone()], key, pem }
    }

    pub(crate) fn identity(&self, name: &str) -> Arc<Identity> {
        let leaf = self.leaf(name);
        Identity::new(leaf.chain, leaf.key).unwrap()
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        Trust::new(vec![self.root.clone()]).unwrap()
    }
}

impl Leaf {
    fn write(&self, files: &IdentityFiles) {
        replace_file(&files.certificate, &self.pem.0);
        replace_file(&files.key, &self.pem.1);
    }
}

/// As certificate managers do it: the new file takes the place of the old one.
fn replace_file(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// What each side knows of the other after a handshake that worked on both.
#[derive(Debug)]
struct Met {
    seen_by_server: Vec<CertificateDer<'static>>,
    seen_by_client: Vec<CertificateDer<'static>>,
    protocol: Option<Vec<u8>>,
}

async fn meet(server: Arc<rustls::ServerConfig>, client: Arc<rustls::ClientConfig>) -> Result<Met, String> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let serving = async {
        let mut stream =
            TlsAcceptor::from(server).accept(far).await.map_err(|error| format!("server: {error}"))?;
        stream.write_all(b"!").await.unwrap();
        stream.flush().await.unwrap();
        Ok::<_, String>(stream)
    };
    let asking = async {
        let name = ServerName::try_from("gateway").unwrap();
        let mut stream = TlsConnector::from(client)
            .connect(name, near)
            .await
            .map_err(|error| format!("client: {error}"))?;
        // In TLS 1.3 a client learns only by reading that its certificate was refused.
        stream.read_u8().await.map_err(|error| format!("client: {error}"))?;
        Ok::<_, String>(stream)
    };
    let (served, asked) = tokio::join!(serving, asking);
    let (served, asked) = (served?, asked?);
    let certificates = |shown: Option<&[CertificateDer<'static>]>| shown.unwrap_or_default().to_vec();
    Ok(Met {
        seen_by_server: certificates(served.get_ref().1.peer_certificates()),
        seen_by_client: certificates(asked.get_ref().1.peer_certificates()),
        protocol: asked.get_ref().1.alpn_protocol().map(<[u8]>::to_vec),
    })
}

#[tokio::test]
async fn both_sides_know_each_other_by_certificate() {
    let ours = Authority::new("ours");
    let (gateway, agent) = (ours.identity("gateway"), ours.identity("agent"));
    let server = server_config(gateway.clone(), Clients::MustShow(ours.trust()), Alpn::Http2).unwrap();
    let client = client_config(ours.trust(), Some(agent.clone()), Alpn::Http2AndHttp1).unwrap();
    let met = meet(server, client).await.unwrap();
    assert_eq!(met.seen_by_server, agent.chain());
    assert_eq!(met.seen_by_client, gateway.chain());
    assert_eq!(met.protocol.as_deref(), Some(b"h2".as_slice()));
}

#[tokio::test]
async fn a_client_without_certificate_passes_only_where_it_may() {
    let ours = Authority::new("ours");
    let client = client_config(ours.trust(), None, Alpn::Http2).unwrap();
    let may = server_config(ours.identity("gateway"), Clients::MayShow(ours.trust()), Alpn::Http2).unwrap();
    assert_eq!(meet(may, client.clone()).await.unwrap().seen_by_server, []);
    let must = server_config(ours.identity("gateway"), Clients::MustShow(ours.trust()), Alpn::Http2).unwrap();
    let refused = meet(must, client).await.unwrap_err();
    assert!(refused.contains("peer sent no certificates"), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_refused_even_where_none_is_needed() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server =
        server_config(ours.identity("gateway"), Clients::MayShow(ours.trust()), Alpn::Http2).unwrap();
    let client = client_config(ours.trust(), Some(theirs.identity("agent")), Alpn::Http2).unwrap();
    let refused = meet(server, client).await.unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn a_server_of_somebody_else_or_of_another_name_is_refused() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let client = client_config(ours.trust(), None, Alpn::Http2).unwrap();
    for identity in [theirs.identity("gateway"), ours.identity("other")] {
        let server = server_config(identity, Clients::NotAsked, Alpn::Http2).unwrap();
        meet(server, client.clone()).await.unwrap_err();
    }
}

#[tokio::test]
async fn the_next_handshake_sees_a_replaced_root() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let trust = old.trust();
    let server =
        server_config(old.identity("gateway"), Clients::MustShow(trust.clone()), Alpn::Http2).unwrap();
    let client = client_config(old.trust(), Some(new.identity("agent")), Alpn::Http2).unwrap();
    meet(server.clone(), client.clone()).await.unwrap_err();
    trust.replace(vec![old.root.clone(), new.root.clone()]).unwrap();
    meet(server, client).await.unwrap();
    assert!(matches!(trust.replace(Vec::new()), Err(Error::Trust(_))));
}

#[tokio::test]
async fn changed_files_are_in_use_from_the_next_handshake_on() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let dir = tempfile::tempdir().unwrap();
    let files = IdentityFiles { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
    let roots = dir.path().join("ca.crt");
    theirs.leaf("gateway").write(&files);
    replace_file(&roots, &theirs.root_pem);
    let (identity, trust) = (Identity::load(files.clone()).unwrap(), Trust::load(roots.clone()).unwrap());
    let server = server_config(identity.clone(), Clients::MustShow(trust.clone()), Alpn::Http2).unwrap();
    let client = client_config(ours.trust(), Some(ours.identity("agent")), Alpn::Http2).unwrap();
    meet(server.clone(), client.clone()).await.unwrap_err();
    assert_eq!(identity.reload_if_changed().unwrap(), Reloaded::Unchanged);
    ours.leaf("gateway").write(&files);
    replace_file(&roots, &ours.root_pem);
    assert_eq!(identity.reload_if_changed().unwrap(), Reloaded::Replaced);
    assert_eq!(trust.reload_if_changed().unwrap(), Reloaded::Replaced);
    meet(server, client).await.unwrap();
}

#[tokio::test]
async fn files_are_followed_until_told_to_stop() {
    let ours = Authority::new("ours");
    let dir = tempfile::tempdir().unwrap();
    let files = IdentityFiles { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
    ours.leaf("gateway").write(&files);
    let identity = Identity::load(files.clone()).unwrap();
    let next = ours.leaf("gateway");
    next.write(&files);
    let stop = tokio_util::sync::CancellationToken::new();
    let changed = async {
        while identity.chain() != next.chain {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let followed = follow(vec![identity.clone()], std::time::Duration::from_millis(1), stop.clone());
    let both = async { tokio::join!(followed, changed) };
    tokio::time::timeout(std::time::Duration::from_secs(10), both)
        .await
        .expect("the new certificate is taken soon");
}

#[test]
fn broken_files_leave_the_old_certificate_in_use_and_are_told_once() {
    let ours = Authority::new("ours");
    let dir = tempfile::tempdir().unwrap();
    let files = IdentityFiles { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
    let first = ours.leaf("gateway");
    first.write(&files);
    let identity = Identity::load(files.clone()).unwrap();
    // Half of a renewal: the certificate is there, its key not yet.
    let second = ours.leaf("gateway");
    replace_file(&files.certificate, &second.pem.0);
    assert!(matches!(identity.reload_if_changed(), Err(Error::Identity(_))));
    assert_eq!(identity.reload_if_changed().unwrap(), Reloaded::Unchanged);
    assert_eq!(identity.chain(), first.chain);
    replace_file(&files.key, &second.pem.1);
    assert_eq!(identity.reload_if_changed().unwrap(), Reloaded::Replaced);
    assert_eq!(identity.chain(), second.chain);
}

#[test]
fn an_unusable_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.crt");
    std::fs::write(&path, "").unwrap();
    assert_eq!(
        certificates(&path).unwrap_err().to_string(),
        format!("{} holds no certificate", path.display())
    );
    let absent = dir.path().join("absent.key");
    assert_eq!(
        private_key(&absent).unwrap_err().to_string(),
        format!("cannot read PEM file {}", absent.display())
    );
}

#[test]
fn a_key_is_not_shown_in_debug() {
    let shown = format!("{:?}", Authority::new("ours").identity("gateway"));
    assert_eq!(shown, "Identity { files: None, .. }");
}
