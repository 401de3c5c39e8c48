use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;

/// A root, and the certificate that it signed for `localhost`.
fn federation() -> (CertificateDer<'static>, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    (root, leaf.der().clone())
}

fn verify(
    believed: &CertificateDer<'_>,
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    name: &str,
) -> bool {
    let root = Digest(Sha256::digest(believed).into());
    let verifier = ByFingerprint { root, provider: Arc::new(ring::default_provider()) };
    let name = ServerName::try_from(name).unwrap();
    verifier.verify_server_cert(leaf, chain, &name, &[], UnixTime::now()).is_ok()
}

#[test]
fn only_a_chain_to_the_root_of_the_token_is_believed_and_only_for_the_name_that_was_dialled() {
    let (root, leaf) = federation();
    let (other_root, other_leaf) = federation();
    assert!(verify(&root, &leaf, std::slice::from_ref(&root), "localhost"));
    assert!(!verify(&root, &leaf, std::slice::from_ref(&root), "elsewhere"), "another name");
    assert!(!verify(&other_root, &leaf, std::slice::from_ref(&root), "localhost"), "another root");
    // Showing the right root proves nothing when the certificate was not signed by it.
    assert!(!verify(&root, &other_leaf, &[root.clone(), other_root], "localhost"));
    assert!(!verify(&root, &leaf, &[], "localhost"), "no root was shown");
}
