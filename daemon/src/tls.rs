//! Who we are and whom we believe, on every connection: rustls, one crypto provider, TLS 1.2 and 1.3.
//!
//! An [`Identity`] is a certificate with its key, a [`Trust`] the roots that the other side's certificate must
//! lead to. Both are live values: they are replaced while the server runs, by hand ([`Identity::replace`], when
//! a certificate is renewed) or because their files changed ([`follow`]), and the next handshake sees the new one.
//! Sessions are never resumed: a resumed session would carry on with a certificate that is no longer believed,
//! and our connections live long.

mod error;
mod pem;
mod identity;
mod trust;
mod config;
mod follow;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

pub use config::{Alpn, Clients, client_config, server_config};
pub use error::Error;
pub use follow::{Reload, Reloaded, follow};
pub use identity::{Identity, IdentityFiles};
pub use pem::{certificates, certificates_in, private_key, private_key_in};
pub use trust::Trust;

/// Makes ring the crypto provider of this process, for our code and for every library. The first thing in `main`;
/// calling it again changes nothing.
pub fn install_crypto_provider() {
    // An error means that a provider is installed already: by an earlier call, for nothing else in our programs does.
    let _installed_before = ring::default_provider().install_default();
}

/// The provider itself, so that nothing here depends on the order of calls.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(ring::default_provider()));
    PROVIDER.clone()
}

#[cfg(test)]
pub(crate) mod tests;
