//! A server that wants to know who calls: TLS beside the plain ports, tokens on all of them, and one superuser.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Error, standalone::Ports};
use crate::{fs, kubernetes::Bridge, provision::PulsarHome};

/// Who may do everything: the server towards itself, and the tests.
const SUPERUSER: &str = "admin";

const TOKENS: &str = "org.apache.pulsar.broker.authentication.AuthenticationProviderToken";
const CLIENT: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";

/// What clients of a secured server need.
#[derive(Debug)]
pub struct Security {
    certificate: PathBuf,
    key: PathBuf,
    secret: PathBuf,
    token: String,
}

impl Security {
    /// Makes a certificate, a secret and a token for a server that writes to `dir`.
    pub(super) fn make(home: &PulsarHome, dir: &Path) -> Result<Self, Error> {
        let [certificate, key, secret] =
            ["server.pem", "server-key.pem", "token.key"].map(|name| dir.join(name));
        let names = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), Bridge::address().to_string()];
        let made = rcgen::generate_simple_self_signed(names).map_err(Error::Certificate)?;
        fs::write(&certificate, made.cert.pem()).map_err(Error::Files)?;
        fs::write(&key, made.signing_key.serialize_pem()).map_err(Error::Files)?;
        tokens(home, &["create-secret-key", "--output"], &secret, &[])?;
        let token = tokens(home, &["create", "--secret-key"], &secret, &["--subject", SUPERUSER])?;
        Ok(Self { certificate, key, secret, token })
    }

    /// PEM: what the server's certificate must lead to.
    pub fn roots(&self) -> &Path {
        &self.certificate
    }

    /// The superuser's.
    pub fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn settings(&self, ports: &Ports) -> Vec<(&'static str, String)> {
        let path = |path: &Path| path.display().to_string();
        vec![
            ("brokerServicePortTls", ports.broker_tls.to_string()),
            ("webServicePortTls", ports.web_tls.to_string()),
            ("tlsCertificateFilePath", path(&self.certificate)),
            ("tlsKeyFilePath", path(&self.key)),
            ("tlsTrustCertsFilePath", path(&self.certificate)),
            ("authenticationEnabled", "true".to_owned()),
            ("authenticationProviders", TOKENS.to_owned()),
            ("authorizationEnabled", "true".to_owned()),
            ("superUserRoles", SUPERUSER.to_owned()),
            ("tokenSecretKey", format!("file://{}", path(&self.secret))),
            ("brokerClientAuthenticationPlugin", CLIENT.to_owned()),
            ("brokerClientAuthenticationParameters", format!("token:{}", self.token)),
        ]
    }
}

/// Runs Pulsar's own program for tokens; answers what it printed.
fn tokens(home: &PulsarHome, before: &[&str], secret: &Path, after: &[&str]) -> Result<String, Error> {
    let mut command = Command::new(home.script("pulsar"));
    command.arg("tokens").args(before).arg(secret).args(after);
    let output = command.output().map_err(Error::Tokens)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Tokens(std::io::Error::other(said)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
