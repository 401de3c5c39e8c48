use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, CertificateSigningRequestParams, Issuer, KeyPair};
use rustls::pki_types::CertificateSigningRequestDer;
use tempfile::TempDir;

use super::*;

/// A root that signs what it is asked to.
fn root() -> (Issuer<'static, KeyPair>, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().der().to_vec();
    (Issuer::new(params, key), root)
}

fn certified(cluster: &str, fresh: FreshKey) -> Credentials {
    let (issuer, root) = root();
    let request = CertificateSigningRequestDer::from(fresh.request.clone());
    let leaf = CertificateSigningRequestParams::from_der(&request).unwrap().signed_by(&issuer).unwrap();
    let chain = vec![leaf.der().to_vec(), root.clone()];
    fresh.certified(
        ClusterName::new(cluster).unwrap(),
        chain,
        vec![root],
        "come-back".into(),
        Digest([1; 32]),
    )
}

#[test]
fn an_identity_survives_in_a_file_that_only_its_owner_reads_and_hides_its_key_from_logs() {
    let directory = TempDir::new().unwrap();
    let path = path_in(directory.path());
    assert!(Identity::load(&path).unwrap().is_none());
    let credentials = certified("east", FreshKey::generate().unwrap());
    let key = hex::encode(&credentials.key);
    let kept = Identity::keep(&path, credentials).unwrap();
    assert!(!format!("{kept:?}").contains("come-back"));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read_to_string(&path).unwrap().contains(&key));
    let loaded = Identity::load(&path).unwrap().unwrap();
    assert_eq!((loaded.cluster().as_str(), loaded.renewal_credential().as_str()), ("east", "come-back"));
}

#[test]
fn a_rotation_that_cannot_be_used_leaves_the_old_identity_in_file_and_use() {
    let directory = TempDir::new().unwrap();
    let path = path_in(directory.path());
    let identity = Identity::keep(&path, certified("east", FreshKey::generate().unwrap())).unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut broken = certified("east", FreshKey::generate().unwrap());
    broken.key = certified("east", FreshKey::generate().unwrap()).key;
    assert!(matches!(identity.replace(broken), Err(Error::Unusable(_))));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    identity.replace(certified("east", FreshKey::generate().unwrap())).unwrap();
    assert_ne!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_file_is_named_and_not_shown() {
    let directory = TempDir::new().unwrap();
    let path = path_in(directory.path());
    std::fs::write(&path, r#"{"cluster":"east","key":"5ec4e7"}"#).unwrap();
    let damaged = Identity::load(&path).unwrap_err();
    assert!(matches!(damaged, Error::Damaged { .. }) && !damaged.to_string().contains("5ec4e7"), "{damaged}");
}

#[test]
fn a_certificate_is_renewed_between_half_and_two_thirds_of_its_life() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    for chance in [0.0, 0.5, 1.0] {
        let validity = Validity::new(at(1_000), at(2_000), chance);
        assert!(!validity.is_due(at(1_499)) && validity.is_due(at(1_671)), "{chance}");
        assert!(!validity.has_ended(at(1_999)) && validity.has_ended(at(2_000)));
    }
}
