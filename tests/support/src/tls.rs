//! The TLS of a server: files of PEM that a test has made.

use std::path::PathBuf;

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
