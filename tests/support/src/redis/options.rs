//! How a server is started.

use std::ffi::OsString;

use super::Server;
use crate::tls::Tls;

/// Settings of a [`Server`]. The default: no persistence, no password.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Options {
    pub(super) append_only: bool,
    pub(super) password: Option<String>,
    pub(super) tls: Option<Box<Tls>>,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(OsString, OsString)>,
}

impl Options {
    /// Writes every command to disk before answering, so that [`Server::restart`] and a kill lose nothing.
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Asks every client for this password, and puts it into [`Server::url`]. It must need no escaping in a URL.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Listens for TLS too, on [`Server::tls_port`].
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(Box::new(tls));
        self
    }

    /// Adds an argument to the command line, such as `--maxmemory` and then `1mb`.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Adds variables to the environment, such as those of a [`WallClock`](crate::wall::WallClock).
    pub fn envs(mut self, more: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>) -> Self {
        self.env.extend(more.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Starts a server with these settings.
    ///
    /// # Panics
    ///
    /// When it does not answer within 10 s; the message holds the server's log.
    pub async fn start(self) -> Server {
        Server::start_with(self).await
    }

    pub(super) fn command_line(&self, tls_port: Option<u16>) -> Vec<String> {
        let mut line: Vec<String> = vec!["--save".into(), String::new()];
        let append_only = if self.append_only { "yes" } else { "no" };
        line.extend(["--appendonly".into(), append_only.into()]);
        line.extend(["--appendfsync".into(), "always".into()]);
        if let Some(password) = &self.password {
            line.extend(["--requirepass".into(), password.clone()]);
        }
        if let (Some(tls), Some(port)) = (&self.tls, tls_port) {
            line.extend(["--tls-port".into(), port.to_string()]);
            let files = [
                ("--tls-cert-file", &tls.certificate),
                ("--tls-key-file", &tls.key),
                ("--tls-ca-cert-file", &tls.authority),
            ];
            line.extend(files.into_iter().flat_map(|(name, path)| [name.to_owned(), path.display().to_string()]));
            let clients = if tls.client_certificate { "yes" } else { "no" };
            line.extend(["--tls-auth-clients".into(), clients.into()]);
        }
        line.extend(self.args.iter().cloned());
        line
    }
}
