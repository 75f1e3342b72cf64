//! One driver client for one connection attempt. Dropped, it takes its socket and every queued command with it.

use super::{ConnectError, Endpoint, Reply, Settings, error::io_text, line::PUBLISH_ALL};
use crate::connection::OUT_OF_STEP;
#[cfg(feature = "tls")]
use crate::connection::url::bare;
#[cfg(feature = "tls")]
use fred::types::config::{TlsConfig, TlsConnector, TlsHostMapping};
use fred::{
    clients::Client,
    error::{Error as FredError, ErrorKind},
    interfaces::{AuthInterface, ClientLike, EventInterface, PubsubInterface},
    types::{
        ClusterHash, CustomCommand, Message, RespVersion,
        config::{Config, ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig},
    },
};
use futures_util::future::join;
use std::time::Duration;
use tokio::{
    sync::broadcast,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

const OLDEST: u64 = 7;

/// The driver's task, which owns the socket.
pub(super) type Router = JoinHandle<Result<(), FredError>>;

pub(super) struct Link {
    pub(super) client: Client,
    messages: broadcast::Receiver<Message>,
    router: Router,
    runs_scripts: bool,
    /// Whether the server is part of a Redis Cluster.
    pub(super) is_cluster: bool,
}

/// What a command needs of a link.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) client: Client,
    router: AbortHandle,
    /// Whether its user may run scripts.
    pub(super) runs_scripts: bool,
}

impl Wire {
    pub(super) fn alive(&self) -> bool {
        !self.router.is_finished()
    }
}

impl Link {
    /// Connects, logs in, checks the version and names the connection, all within the connect timeout.
    pub(super) async fn connect(
        endpoint: &Endpoint,
        settings: &Settings,
        name: &str,
        subscribes: bool,
    ) -> Result<Self, ConnectError> {
        let client = client(endpoint, settings, subscribes)?;
        let messages = client.message_rx();
        let wait = client.wait_for_connect();
        // Dropping the guard ends the router and its socket, also when this future is dropped half-way.
        let mut link =
            Self { client: client.clone(), messages, router: client.connect(), runs_scripts: false, is_cluster: false };
        let connected = async {
            tokio::select! {
                biased;
                ended = &mut link.router => Err(ended.unwrap_or_else(|error| Err(error.into())).err()),
                connected = wait => connected.map_err(Some),
            }
        };
        connected.await.map_err(|error| match error {
            Some(error) => sort(&error, settings),
            None => ConnectError::Unreachable("the connection was closed".to_owned()),
        })?;
        // Not by the driver's own RESP3 login: that sends HELLO and the password as one inline line, which a space or
        // a quote in the password breaks. So it logs in with AUTH, and switches then.
        client.hello(RespVersion::RESP3, None, None).await.map_err(|error| sort(&error, settings))?;
        link.is_cluster = link.check_version().await?;
        link.ask("CLIENT SETNAME", vec![name.to_owned()]).await.ok();
        link.runs_scripts = match link.ask("EVAL", vec![PUBLISH_ALL.to_owned(), "0".to_owned()]).await {
            Err(unreachable @ ConnectError::Unreachable(_)) => return Err(unreachable),
            ran => ran.is_ok(),
        };
        Ok(link)
    }

    // HELLO and not INFO: a restricted user may always send HELLO. Returns whether the server is part of a cluster.
    async fn check_version(&self) -> Result<bool, ConnectError> {
        let hello = self.ask("HELLO", vec!["3".to_owned()]).await?;
        let fields = hello.list().unwrap_or_default();
        let field = |name: &[u8]| {
            fields.chunks(2).find_map(|pair| match pair {
                [Reply::Bytes(key), Reply::Bytes(value)] if &key[..] == name => Some(String::from_utf8_lossy(value)),
                _ => None,
            })
        };
        let Some(version) = field(b"version") else {
            return Err(ConnectError::Refused("HELLO was answered without a version".to_owned()));
        };
        let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
        match major {
            Some(major) if major < OLDEST => Err(ConnectError::TooOld(version.into_owned())),
            _ => Ok(field(b"mode").is_some_and(|mode| mode == "cluster")),
        }
    }

    async fn ask(&self, command: &'static str, args: Vec<String>) -> Result<Reply, ConnectError> {
        let frame = self.client.custom_raw(raw(command, false), args).await;
        let frame = frame.map_err(|error| ConnectError::Unreachable(io_text(error.details())))?;
        Reply::from_frame(frame).map_err(ConnectError::Refused)
    }

    /// Subscribes, and returns when the server has done so.
    pub(super) async fn subscribe(&self, patterns: Vec<String>) -> Result<(), ConnectError> {
        let send = async { if patterns.is_empty() { Ok(()) } else { self.client.psubscribe(patterns).await } };
        // See `subscription::change`. The ping also finds a server that is still loading its data.
        let (sent, pong) = join(send, self.ask("PING", vec![BARRIER.to_owned()])).await;
        sent.map_err(|error| ConnectError::Unreachable(io_text(error.details())))?;
        match pong? {
            Reply::Bytes(text) if text == BARRIER => Ok(()),
            _ => Err(ConnectError::Refused(OUT_OF_STEP.to_owned())),
        }
    }

    pub(super) fn wire(&self) -> Wire {
        Wire { client: self.client.clone(), router: self.router.abort_handle(), runs_scripts: self.runs_scripts }
    }

    pub(super) fn parts(&mut self) -> (&mut Router, &mut broadcast::Receiver<Message>) {
        (&mut self.router, &mut self.messages)
    }
}

/// Returns when the driver has given the connection up, with the reason.
pub(super) async fn ended(router: &mut Router) -> String {
    match router.await {
        Ok(Err(error)) => io_text(error.details()),
        Ok(Ok(())) => "the connection was closed".to_owned(),
        Err(error) => format!("the driver's task ended: {error}"),
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The router keeps its own client alive: without this, task and socket would stay for ever.
        self.router.abort();
    }
}

pub(super) const BARRIER: &str = "formicary";

pub(super) fn raw(name: &'static str, blocks: bool) -> CustomCommand {
    CustomCommand::new_static(name, ClusterHash::FirstKey, blocks)
}

pub(super) async fn within<T>(
    limit: Duration,
    attempt: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    timeout(limit, attempt).await.unwrap_or(Err(ConnectError::TimedOut(limit)))
}

fn client(endpoint: &Endpoint, settings: &Settings, subscribes: bool) -> Result<Client, ConnectError> {
    let config = Config {
        fail_fast: true,
        server: ServerConfig::Centralized { server: server(endpoint) },
        #[cfg(feature = "tls")]
        tls: settings.tls.config(endpoint.tls).map_err(ConnectError::Tls)?.map(|config| TlsConfig {
            connector: TlsConnector::Rustls(config.into()),
            hostnames: TlsHostMapping::None,
        }),
        username: endpoint.user.clone(),
        password: endpoint.password.clone(),
        database: Some(endpoint.database).filter(|db| *db > 0),
        version: RespVersion::RESP2,
        ..Config::default()
    };
    let connection = ConnectionConfig {
        connection_timeout: settings.connect_timeout,
        internal_command_timeout: settings.connect_timeout,
        max_command_attempts: 1,
        tcp: TcpConfig {
            nodelay: Some(true),
            // A dropped socket is reset: else the kernel would go on delivering what a half-open connection still
            // holds, and a command given up long ago could go out late.
            linger: Some(Duration::ZERO),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    };
    let capacity = if subscribes { settings.message_buffer.get() } else { 1 };
    let performance = PerformanceConfig {
        broadcast_channel_capacity: capacity,
        // Flush when the queue is empty or 8 KiB are full, never between a subscription and the ping behind it.
        max_feed_count: u64::MAX,
        ..PerformanceConfig::default()
    };
    Ok(Client::new(config, Some(performance), Some(connection), None))
}

#[cfg(feature = "tls")]
fn server(endpoint: &Endpoint) -> Server {
    Server::new_with_tls(endpoint.host.clone(), endpoint.port, Some(bare(&endpoint.host).to_owned()))
}

#[cfg(not(feature = "tls"))]
fn server(endpoint: &Endpoint) -> Server {
    Server::new(endpoint.host.clone(), endpoint.port)
}

fn sort(error: &FredError, settings: &Settings) -> ConnectError {
    let text = error.details().to_owned();
    #[cfg(feature = "tls")]
    if let Some(problem) = settings.tls.explain(&text) {
        return ConnectError::Tls(problem);
    }
    #[cfg(not(feature = "tls"))]
    let _ = settings;
    match error.kind() {
        ErrorKind::Auth => ConnectError::Credentials(text),
        // Before 6 there was no HELLO.
        _ if text.contains("unknown command") => ConnectError::TooOld("5 or older".to_owned()),
        ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled => ConnectError::Unreachable(io_text(&text)),
        _ => ConnectError::Refused(text),
    }
}
