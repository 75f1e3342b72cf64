//! The TLS of a server, and an authority that signs certificates for a test.

mod authority;

use std::path::PathBuf;

pub use authority::Authority;

/// A listener for TLS, beside the plain one, with a port of its own.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate of the server, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Who signs the certificates of clients, PEM.
    pub authority: PathBuf,
    /// Whether a client without a certificate is refused.
    pub client_certificate: bool,
}

impl Tls {
    /// Refuses clients without a certificate.
    #[must_use]
    pub fn demand(mut self) -> Self {
        self.client_certificate = true;
        self
    }
}
