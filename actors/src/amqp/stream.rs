//! The bytes of a connection, plain or encrypted, as the driver reads and writes them.
//!
//! The driver's own TLS brings a second copy of what stands in the workspace already, and some seventy crates more; so it is
//! given a stream of ours, by way of a runtime that differs from the one it would choose in this and in that its tasks log
//! nothing.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor};
use async_rs::util::{RuntimeParts, Task};
use async_rs::{Runtime, Tokio};
use futures_util::Stream as Items;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use super::gate::Gate;
use super::screen::Screen;
use super::socket::Seen;

/// Anything that tokio reads and writes.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// What the driver is given.
pub(super) struct Stream {
    bytes: Box<dyn Bytes>,
    screen: Screen,
    gate: Arc<Gate>,
    pieces: Arc<Pieces>,
    /// What a write failed on, until we know the last words of the server.
    failed: Option<io::Error>,
}

/// How many pieces of large bodies came. On a narrow line a message may need longer than a server may be silent, and nothing
/// else comes until it is there. Heartbeats do not count: a server that does not hear us sends them too.
#[derive(Default)]
pub(super) struct Pieces(AtomicU64);

impl Pieces {
    fn came(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stream {
    pub(super) fn new(bytes: Box<dyn Bytes>, seen: &Seen) -> Self {
        let screen = Screen::new(seen.mended.clone(), seen.gate.clone());
        Self { bytes, screen, gate: seen.gate.clone(), pieces: seen.pieces.clone(), failed: None }
    }

    /// What comes from the socket.
    fn read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(into);
        ready!(Pin::new(&mut self.bytes).poll_read(cx, &mut into))?;
        Poll::Ready(Ok(into.filled().len()))
    }

    /// A server that hangs up on us says why (it refuses our certificate), but does not wait until we have read it: what
    /// the driver writes meanwhile fails, and then it reads no more.
    fn written<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = outcome {
            self.failed = Some(error);
            return self.last_words(cx).map(Err);
        }
        outcome
    }

    fn last_words(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut rest = [0; 1024];
        loop {
            let mut rest = ReadBuf::new(&mut rest);
            match ready!(Pin::new(&mut self.bytes).poll_read(cx, &mut rest)) {
                Ok(()) if !rest.filled().is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Poll::Ready(error),
                _ => return Poll::Ready(self.failed.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())),
            }
        }
    }
}

/// The runtime of this thread, whose connections are [`Stream`]s.
pub(super) fn runtime() -> Runtime<RuntimeParts<Quiet, Streams>> {
    Runtime::new(RuntimeParts::new(Quiet(Tokio::current()), Streams(Tokio::current())))
}

/// The tasks of the driver on this thread log nothing, as its own thread does: the loss of a connection is told by its owner.
#[derive(Clone, Debug)]
pub(super) struct Quiet(Tokio);

impl Executor for Quiet {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, f: F) -> T {
        self.0.block_on(f)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.0.spawn(f.with_subscriber(Dispatch::none()))
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(f)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Streams(Tokio);

impl Reactor for Streams {
    type TcpStream = Stream;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl futures_io::AsyncRead + futures_io::AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Items<Item = Instant> + Send + 'static {
        self.0.interval(time)
    }

    /// Never asked for: the driver gets a stream that is connected.
    fn tcp_connect_addr(&self, _: SocketAddr) -> impl Future<Output = io::Result<Stream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl futures_io::AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let count = this.screen.hand_on(into);
            if count > 0 || into.is_empty() {
                return Poll::Ready(Ok(count));
            }
            let past = this.screen.passing().min(into.len());
            if past > 0 {
                let count = ready!(this.read(cx, &mut into[..past]))?;
                this.screen.passed(count);
                this.pieces.came();
                return Poll::Ready(Ok(count));
            }
            ready!(this.gate.poll_open(cx));
            let mut room = ReadBuf::new(this.screen.room());
            ready!(Pin::new(&mut this.bytes).poll_read(cx, &mut room))?;
            let count = room.filled().len();
            this.screen.came(count);
            if count == 0 {
                return Poll::Ready(Ok(this.screen.hand_on(into)));
            }
        }
    }
}

impl futures_io::AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.failed.is_some() {
            return this.last_words(cx).map(Err);
        }
        let outcome = Pin::new(&mut this.bytes).poll_write(cx, bytes);
        this.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.failed.is_some() {
            return this.last_words(cx).map(Err);
        }
        let outcome = Pin::new(&mut this.bytes).poll_write_vectored(cx, parts);
        this.written(cx, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.failed.is_some() {
            return this.last_words(cx).map(Err);
        }
        let outcome = Pin::new(&mut this.bytes).poll_flush(cx);
        this.written(cx, outcome)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().bytes).poll_shutdown(cx)
    }
}
