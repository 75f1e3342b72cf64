//! How a node is started.

use std::path::{Path, PathBuf};

use super::Server;

/// Settings of a [`Server`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Options {
    pub(super) lines: Vec<String>,
    pub(super) tls: Option<Tls>,
}

/// A listener for TLS, beside the plain one.
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

impl Options {
    /// Adds a line to `rabbitmq.conf`, such as `consumer_timeout = 1000`. It overrides a line of the same name.
    pub fn setting(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Listens for TLS too, on [`Server::tls_port`].
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Starts a node with these settings.
    ///
    /// # Panics
    ///
    /// When it does not answer within a minute; the message holds the node's log.
    pub async fn start(self) -> Server {
        Server::start_with(self).await
    }
}

impl Tls {
    pub(super) fn lines(&self, port: u16) -> Vec<String> {
        let file = |name: &str, path: &Path| format!("ssl_options.{name} = {}", path.display());
        vec![
            format!("listeners.ssl.1 = 127.0.0.1:{port}"),
            file("cacertfile", &self.authority),
            file("certfile", &self.certificate),
            file("keyfile", &self.key),
            format!("ssl_options.verify = {}", if self.client_certificate { "verify_peer" } else { "verify_none" }),
            format!("ssl_options.fail_if_no_peer_cert = {}", self.client_certificate),
        ]
    }
}
