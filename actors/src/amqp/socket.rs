//! The socket of a driver connection, which we can end from outside.

use super::{ConnectError, Endpoint, Settings};
use lapin::tcp::AsyncTcpStream;
use lapin::uri::{AMQPAuthority, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

/// Ends the socket when it is dropped, and with it the driver's thread: otherwise a connection that is given up in the
/// middle of its handshake, or whose peer is gone without a word, would keep its thread for ever.
#[derive(Default)]
pub(super) struct Socket(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    socket: Option<TcpStream>,
    ended: bool,
}

impl Socket {
    /// Ends a socket of which `Self` was dropped before it was there.
    fn hold(held: &Mutex<Held>, socket: TcpStream) {
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.ended {
            // It is closed already when this fails.
            socket.shutdown(Shutdown::Both).ok();
        } else {
            held.socket = Some(socket);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.ended = true;
        if let Some(socket) = held.socket.take() {
            // It is closed already when this fails.
            socket.shutdown(Shutdown::Both).ok();
        }
    }
}

/// Connects and logs in.
pub(super) async fn connect(
    endpoint: &Endpoint,
    settings: &Settings,
    name: &str,
) -> Result<(Connection, Socket), ConnectError> {
    let unreachable = |error: std::io::Error| ConnectError::Unreachable(error.to_string());
    let host = endpoint.host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((host, endpoint.port)).await.map_err(unreachable)?.collect();
    let socket = Socket::default();
    let held = socket.0.clone();
    let runtime = lapin::runtime::default_runtime().map_err(|error| ConnectError::from(&error))?;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connected = Connection::connector(
        uri(endpoint, settings),
        runtime,
        async move |_, runtime| {
            be_quiet();
            let stream = AsyncTcpStream::connect(&runtime, addresses.clone()).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                Socket::hold(&held, TcpStream::from(plain.get_ref().as_fd().try_clone_to_owned()?));
            }
            Ok(stream)
        },
        properties,
    );
    let connection = connected.await.map_err(|error| ConnectError::from(&error))?;
    Ok((connection, socket))
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
