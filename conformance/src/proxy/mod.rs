//! A TCP proxy that misbehaves on request.

mod link;
mod pump;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::port::Port;

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// They pass at once.
    #[default]
    Pass,
    /// They pass in order, each after this time.
    Delay(Duration),
    /// They pass in order, so many each 10 ms: in the pieces of a frame, as on a narrow line.
    Trickle(NonZeroUsize),
    /// They are taken and lost; the connection stays open, and its end is not passed on either.
    Blackhole,
}

/// A proxy on a port of 127.0.0.1 in front of another one, on a thread of its own; gone when dropped.
///
/// ```no_run
/// # use formicary_conformance::proxy::{Mode, Proxy};
/// # async fn a_test(port_of_the_server: u16) {
/// let proxy = Proxy::start(port_of_the_server).await;
/// // … the program under test connects to proxy.address() …
/// proxy.set_to_client(Mode::Blackhole); // it is heard, and hears nothing
/// proxy.drop_all().await;
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    orders: Option<mpsc::UnboundedSender<Order>>,
    to_server: watch::Sender<Mode>,
    to_client: watch::Sender<Mode>,
    open: link::Open,
    asked: link::Asked,
    thread: Option<JoinHandle<()>>,
    port: Port,
}

#[derive(Debug)]
enum Order {
    /// Answered with the number of resets so far.
    DropAll(oneshot::Sender<u64>),
    Refuse(oneshot::Sender<()>),
    Accept(oneshot::Sender<io::Result<()>>),
}

impl Proxy {
    /// Starts a proxy that passes everything to `target_port` of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When it can't listen.
    pub async fn start(target_port: u16) -> Proxy {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (to_server, modes_up) = watch::channel(Mode::Pass);
        let (to_client, modes_down) = watch::channel(Mode::Pass);
        let (open, asked) = (link::Open::default(), link::Asked::default());
        let port = Port::take();
        let switch = Switch {
            port: port.number(),
            target: target_port,
            modes: (modes_up, modes_down),
            open: open.clone(),
            asked: asked.clone(),
            resets: watch::Sender::new(0),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for a proxy: {error}"));
        let thread = std::thread::spawn(move || runtime.block_on(switch.run(inbox)));
        let proxy = Proxy { orders: Some(orders), to_server, to_client, open, asked, thread: Some(thread), port };
        proxy.accept().await;
        proxy
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// `redis://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Sets both directions, for open connections and new ones, from the next bytes on.
    pub fn set(&self, mode: Mode) {
        self.set_to_server(mode);
        self.set_to_client(mode);
    }

    /// Sets the direction from clients to the server.
    pub fn set_to_server(&self, mode: Mode) {
        self.to_server.send_replace(mode);
    }

    /// Sets the direction from the server to clients.
    pub fn set_to_client(&self, mode: Mode) {
        self.to_client.send_replace(mode);
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.open.all()
    }

    /// How often clients have asked for something so far: connections that they opened, and pieces in which their bytes
    /// came. Who asks and waits for the answer sends one piece each time.
    pub fn asked(&self) -> u64 {
        self.asked.count()
    }

    /// Resets every open connection (RST to both sides); returns when they are gone. New ones are taken.
    pub async fn drop_all(&self) {
        let resets = self.order(Order::DropAll).await;
        let gone = async || self.open.before(resets) == 0;
        crate::wait::until(Duration::from_secs(5), "the reset of all connections", gone).await;
    }

    /// Closes the listener: new connections are refused, open ones stay.
    pub async fn refuse(&self) {
        self.order(Order::Refuse).await;
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    ///
    /// When it can't listen.
    pub async fn accept(&self) {
        if let Err(error) = self.order(Order::Accept).await {
            panic!("a proxy can't listen on port {}: {error}", self.port());
        }
    }

    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> T {
        let (done, answer) = oneshot::channel();
        if let Some(orders) = &self.orders {
            orders.send(order(done)).ok();
        }
        answer.await.unwrap_or_else(|_| panic!("the thread of a proxy has ended"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// The proxy's own side: takes orders and connections until the orders' channel closes.
struct Switch {
    port: u16,
    target: u16,
    modes: (watch::Receiver<Mode>, watch::Receiver<Mode>),
    open: link::Open,
    asked: link::Asked,
    resets: watch::Sender<u64>,
}

impl Switch {
    async fn run(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut listener: Option<TcpListener> = None;
        loop {
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    None => return,
                    Some(Order::DropAll(done)) => {
                        self.resets.send_modify(|count| *count += 1);
                        done.send(*self.resets.borrow()).ok();
                    }
                    Some(Order::Refuse(done)) => {
                        listener = None;
                        done.send(()).ok();
                    }
                    Some(Order::Accept(done)) => {
                        let opened = match listener.take() {
                            Some(open) => Ok(open),
                            None => TcpListener::bind(("127.0.0.1", self.port)).await,
                        };
                        let outcome = opened.map(|open| listener = Some(open));
                        done.send(outcome).ok();
                    }
                },
                Ok((client, _)) = accepted => {
                    let modes = self.modes.clone();
                    let (resets, asked) = (self.resets.subscribe(), self.asked.clone());
                    let link = link::Link::new(client, self.target, modes, resets, &self.open, asked);
                    tokio::spawn(link.run());
                }
            }
        }
    }
}
