//! A server with one answer for all, which notes what it was asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The most that a test waits for anything.
pub const LONG: Duration = Duration::from_secs(20);

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One request, to be answered on.
pub struct Request {
    /// The first line and the headers.
    pub head: String,
    wire: Box<dyn Wire>,
    socket: TcpStream,
}

impl Request {
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// Whether the client took it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.wire.write_all(bytes.as_ref()).and_then(|()| self.wire.flush()).is_ok()
    }

    /// Sends a whole response. A client that has gone meanwhile is its test's matter.
    pub fn answer(&mut self, bytes: impl AsRef<[u8]>) {
        self.send(bytes);
    }

    /// Waits for at most `time` until the client hangs up, and tells whether it has.
    pub fn hung_up_within(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).unwrap();
        match self.wire.read(&mut [0; 64]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

/// A certificate for `localhost` and its key, signed by itself.
pub struct Identity {
    pub pem: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self { pem: made.cert.pem(), config: Arc::new(config) }
    }
}

/// Ends when it is dropped.
pub struct Server {
    scheme: &'static str,
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Over http.
    pub fn start(answer: impl Fn(&mut Request) + Send + Sync + 'static) -> Self {
        Self::serve(None, answer)
    }

    /// Over https.
    pub fn start_tls(identity: &Identity, answer: impl Fn(&mut Request) + Send + Sync + 'static) -> Self {
        Self::serve(Some(identity.config.clone()), answer)
    }

    /// One that answers every request with these bytes.
    pub fn saying(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::start(move |request| request.answer(&text))
    }

    fn serve(tls: Option<Arc<ServerConfig>>, answer: impl Fn(&mut Request) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (heads, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (noted, ended) = (heads.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                while let Ok((socket, _)) = listener.accept() {
                    if ended.load(Ordering::SeqCst) {
                        break;
                    }
                    scope.spawn(|| converse(socket, tls.clone(), &noted, &answer));
                }
            });
        });
        Self { scheme, address, heads, over, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port())
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the loop that accepts.
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().unwrap().join();
        // A second panic would abort the tests and hide the first.
        assert!(ended.is_ok() || std::thread::panicking(), "an answer of a server has panicked");
    }
}

fn converse(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    noted: &Mutex<Vec<String>>,
    answer: &(impl Fn(&mut Request) + ?Sized),
) {
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.set_write_timeout(Some(LONG)).unwrap();
    let other = socket.try_clone().unwrap();
    let mut wire: Box<dyn Wire> = match tls {
        None => Box::new(socket),
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), socket)),
    };
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match wire.read(&mut byte) {
            // TLS where none is spoken: as servers do, say something and hang up.
            Ok(1) if head.is_empty() && byte[0] != b'G' => {
                return drop(wire.write(response("400 Bad Request", "", "").as_bytes()));
            }
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    noted.lock().unwrap().push(head.clone());
    answer(&mut Request { head, wire, socket: other });
}

/// A whole response.
pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub fn ok(body: &str) -> String {
    response("200 OK", "", body)
}

pub fn redirect(location: &str) -> String {
    response("302 Found", &format!("Location: {location}\r\n"), "")
}
