//! One connection that is kept up for ever, as its owner holds it.

use super::{CommandError, ConnectError, Endpoint, Receiver, Settings, State, gate::Gate, life, subscription::Sink};
use crate::connection::Backoff;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt,
    rc::Rc,
    time::Duration,
};
use tokio::{sync::watch, task::AbortHandle, time::timeout};

/// A connection to a Redis server, kept up for ever on the thread that opened it.
///
/// Clones share the connection; when the last one is dropped, the connection and its tasks end.
#[derive(Clone)]
pub struct Connection {
    pub(super) shared: Rc<Shared>,
    owner: Rc<EndOnDrop>,
}

pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) role: String,
    pub(super) settings: Settings,
    pub(super) gate: Rc<Gate>,
    pub(super) patterns: RefCell<BTreeSet<String>>,
    pub(super) sink: Option<Sink>,
    observer: RefCell<Observer>,
    pub(super) activity: Cell<u64>,
    pub(super) connected: Cell<u64>,
    pub(super) cluster: Cell<bool>,
    pub(super) blocking: Cell<usize>,
    broken: watch::Sender<Option<ConnectError>>,
}

/// Who is told each state of a connection.
pub type Observer = Box<dyn FnMut(&State)>;

struct EndOnDrop {
    shared: Rc<Shared>,
    task: AbortHandle,
}

impl Connection {
    /// Opens a connection and returns at once; attempts go on in the background.
    ///
    /// `role` names the connection in logs, errors and `CLIENT LIST`: `bus`, `broker`, `broker consumer mailer`.
    /// `random` gives numbers from 0 to 1 for the jitter of the back-off. `observer` is told each state at the moment it
    /// begins: that it is down before any later command can go out, that it is up before any does. `sink`, for a connection
    /// that subscribes, gets each message. Both are called on this thread and must not block.
    ///
    /// # Panics
    /// Outside of an actix arbiter or another tokio `LocalSet`.
    pub fn open(
        endpoint: Endpoint,
        role: impl Into<String>,
        settings: Settings,
        random: impl FnMut() -> f64 + 'static,
        observer: Observer,
        sink: Option<Receiver>,
    ) -> Self {
        let gate = Gate::new(settings.max_in_flight.get(), settings.max_waiting.get());
        let backoff = Backoff::new(settings.backoff_first, settings.backoff_most, Box::new(random));
        let shared = Rc::new(Shared {
            endpoint,
            role: role.into(),
            settings,
            gate,
            patterns: RefCell::default(),
            sink: sink.map(RefCell::new),
            observer: RefCell::new(observer),
            activity: Cell::default(),
            connected: Cell::default(),
            cluster: Cell::default(),
            blocking: Cell::default(),
            broken: watch::Sender::new(None),
        });
        let task = tokio::task::spawn_local(life::run(shared.clone(), backoff)).abort_handle();
        Self { owner: Rc::new(EndOnDrop { shared: shared.clone(), task }), shared }
    }

    /// Where the server is, without the password when shown.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Which connection this is: each that is made after another was lost has a higher number.
    pub fn generation(&self) -> u64 {
        self.shared.connected.get()
    }

    /// Whether the server of the present connection is part of a Redis Cluster.
    pub fn is_cluster(&self) -> bool {
        self.shared.cluster.get()
    }

    /// Waits up to `within` until every accepted command has its answer, then closes the connection and ends its tasks.
    /// What is still open then fails as `Unknown` (in flight) or `NotSent` (waiting).
    ///
    /// Returns whether everything was answered. Commands given meanwhile are taken too: stop them first.
    pub async fn close(&self, within: Duration) -> bool {
        let flushed = timeout(within, self.shared.gate.idle()).await.is_ok();
        self.owner.end();
        flushed
    }
}

impl Shared {
    pub(super) fn tell(&self, state: &State) {
        (self.observer.borrow_mut())(state);
    }

    pub(super) fn saw_activity(&self) {
        self.activity.set(self.activity.get() + 1);
    }

    /// Gives the present link up; the life cycle replaces it.
    pub(super) fn break_link(&self, reason: ConnectError) {
        self.broken.send_replace(Some(reason));
    }

    /// A server that has become a replica refuses every write, as long as the connection lasts: a new one may reach the
    /// master that came in its place.
    pub(super) fn break_if_demoted(&self, error: &CommandError) {
        if error.has_code("READONLY") {
            self.break_link(ConnectError::Refused(error.to_string()));
        }
    }

    pub(super) fn forget_breaks(&self) {
        self.broken.send_replace(None);
    }

    pub(super) async fn broken(&self) -> ConnectError {
        let mut broken = self.broken.subscribe();
        match broken.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_else(|| ConnectError::Unreachable("given up".to_owned())),
            Err(_) => std::future::pending().await,
        }
    }

    /// The heartbeat rests until the guard is dropped.
    pub(super) fn begin_blocking(&self) -> impl Drop + '_ {
        struct Busy<'a>(&'a Cell<usize>);
        impl Drop for Busy<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        self.blocking.set(self.blocking.get() + 1);
        Busy(&self.blocking)
    }
}

impl EndOnDrop {
    fn end(&self) {
        // Aborting drops the link, and with it the socket.
        self.task.abort();
        self.shared.gate.shut();
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Connection");
        shown.field("role", &self.shared.role).field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}
