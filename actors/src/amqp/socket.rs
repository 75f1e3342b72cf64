//! The socket of a driver connection, which we can end from outside.

use super::gate::Gate;
use super::mend::Mended;
use super::stream::{self, Bytes, Pieces, Stream};
use super::{ConnectError, Endpoint, Settings};
use crate::connection::url::bare;
use lapin::tcp::AsyncTcpStream;
use lapin::uri::{AMQPAuthority, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// Ends the socket when it is dropped, and with it the driver's thread: otherwise a connection that is given up in the
/// middle of its handshake, or whose peer is gone without a word, would keep its thread for ever.
pub(super) struct Socket(std::net::TcpStream);

impl Drop for Socket {
    fn drop(&mut self) {
        // It is closed already when this fails.
        self.0.shutdown(Shutdown::Both).ok();
    }
}

/// What is noted of all that comes.
pub(super) struct Seen {
    pub(super) mended: Arc<Mended>,
    pub(super) gate: Arc<Gate>,
    pub(super) pieces: Arc<Pieces>,
}

/// Connects and logs in.
pub(super) async fn connect(
    endpoint: &Endpoint,
    settings: &Settings,
    name: &str,
) -> Result<(Connection, Socket, Seen), ConnectError> {
    let (stream, socket) = open(endpoint, settings).await?;
    let (mended, gate) = (Arc::new(Mended::default()), Arc::new(Gate::new(settings.read_ahead)));
    let seen = Seen { mended, gate, pieces: Arc::default() };
    let stream = Stream::new(stream, &seen);
    // The driver has a thread from here on, and asks for the stream there, once.
    let stream = Mutex::new(Some(stream));
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connected = Connection::connector(
        uri(endpoint, settings),
        stream::runtime(),
        async move |_, _| {
            be_quiet();
            let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
            let stream = stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
            Ok(AsyncTcpStream::Plain(stream))
        },
        properties,
    );
    let connection = connected.await.map_err(|error| refused(&error, settings))?;
    Ok((connection, socket, seen))
}

async fn open(endpoint: &Endpoint, settings: &Settings) -> Result<(Box<dyn Bytes>, Socket), ConnectError> {
    let unreachable = |error: io::Error| ConnectError::Unreachable(error.to_string());
    #[cfg(feature = "tls")]
    // Before the network: what is wrong with our own files is no fault of a server.
    let tls = settings.tls.config(endpoint.tls).map_err(ConnectError::Tls)?;
    #[cfg(not(feature = "tls"))]
    let _ = settings;
    let tcp = TcpStream::connect((bare(&endpoint.host), endpoint.port)).await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let socket = Socket(tcp.as_fd().try_clone_to_owned().map_err(unreachable)?.into());
    #[cfg(feature = "tls")]
    if let Some(config) = tls {
        let name = ServerName::try_from(bare(&endpoint.host).to_owned());
        let name = name.map_err(|_| ConnectError::Tls("no certificate can hold the host of the URL".to_owned()))?;
        let stream = TlsConnector::from(config).connect(name, tcp).await;
        let stream = stream.map_err(|error| explained(&error, settings).unwrap_or_else(|| unreachable(error)))?;
        return Ok((Box::new(stream), socket));
    }
    Ok((Box::new(tcp), socket))
}

/// A server may refuse our certificate only after the handshake.
fn refused(error: &lapin::Error, settings: &Settings) -> ConnectError {
    #[cfg(feature = "tls")]
    if let lapin::ErrorKind::IOError(error) = error.kind()
        && let Some(problem) = explained(error, settings)
    {
        return problem;
    }
    #[cfg(not(feature = "tls"))]
    let _ = settings;
    ConnectError::from(error)
}

#[cfg(feature = "tls")]
fn explained(error: &io::Error, settings: &Settings) -> Option<ConnectError> {
    settings.tls.explain(&format!("{error:?}")).map(ConnectError::Tls)
}

/// The driver runs this on its own thread. What it logs there about losses is told by the connection's owner, once an outage;
/// and of a message that comes back it would log the body.
fn be_quiet() {
    // For as long as the thread lives.
    std::mem::forget(tracing::dispatcher::set_default(&tracing::Dispatch::none()));
}

fn uri(endpoint: &Endpoint, settings: &Settings) -> AMQPUri {
    let Endpoint { tls, host, port, vhost, user, password } = endpoint.clone();
    let userinfo = AMQPUserInfo { username: user, password };
    let mut uri = AMQPUri {
        scheme: if tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority { userinfo, host, port },
        vhost,
        query: Default::default(),
    };
    // The protocol's own heartbeat has whole seconds; beside it, `life` asks for a sign of life.
    uri.query.heartbeat = Some(settings.heartbeat.as_secs().clamp(1, 60) as u16);
    uri
}
