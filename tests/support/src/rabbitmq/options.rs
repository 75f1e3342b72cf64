//! How a node is started.

use std::path::Path;

use super::Server;
use crate::tls::Tls;

/// Settings of a [`Server`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Options {
    pub(super) lines: Vec<String>,
    pub(super) tls: Option<Tls>,
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

/// The settings of a listener for TLS.
pub(super) fn tls_lines(tls: &Tls, port: u16) -> Vec<String> {
    let file = |name: &str, path: &Path| format!("ssl_options.{name} = {}", path.display());
    vec![
        format!("listeners.ssl.1 = 127.0.0.1:{port}"),
        file("cacertfile", &tls.authority),
        file("certfile", &tls.certificate),
        file("keyfile", &tls.key),
        format!("ssl_options.verify = {}", if tls.client_certificate { "verify_peer" } else { "verify_none" }),
        format!("ssl_options.fail_if_no_peer_cert = {}", tls.client_certificate),
    ]
}
