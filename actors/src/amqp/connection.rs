//! One connection that is kept up for ever, as its owner holds it.

use super::{CommandError, Endpoint, Link, Settings, State, life};
use crate::connection::Backoff;
use std::{
    cell::{Cell, RefCell},
    fmt,
    pin::Pin,
    rc::Rc,
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::ConnectError;

/// A connection to a RabbitMQ server, kept up for ever on the thread that opened it.
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
    /// The link that is up, or why there is none.
    pub(super) link: watch::Sender<Result<Rc<Link>, String>>,
    pub(super) prepare: Prepare,
    pub(super) connected: Cell<u64>,
    observer: RefCell<Observer>,
}

/// Who is told each state of a connection.
pub type Observer = Box<dyn FnMut(&State)>;

/// What an owner sets up on each new link before it counts as connected: its channels, its subscriptions.
pub type Prepare = Box<dyn Fn(Rc<Link>) -> Pin<Box<dyn Future<Output = Result<(), ConnectError>>>>>;

struct EndOnDrop {
    shared: Rc<Shared>,
    task: AbortHandle,
}

impl Connection {
    /// Opens a connection and returns at once; attempts go on in the background.
    ///
    /// `role` names the connection in logs, errors and at the server: `bus`, `broker`, `broker consumers`. `random` gives
    /// numbers from 0 to 1 for the jitter of the back-off. `observer` is told each state at the moment it begins, on this
    /// thread, and must not block. `prepare` runs on each new link; when it fails, so has the attempt.
    ///
    /// # Panics
    /// Outside of an actix arbiter or another tokio `LocalSet`.
    pub fn open(
        endpoint: Endpoint,
        role: impl Into<String>,
        settings: Settings,
        random: impl FnMut() -> f64 + 'static,
        observer: Observer,
        prepare: Prepare,
    ) -> Self {
        let backoff = Backoff::new(settings.backoff_first, settings.backoff_most, Box::new(random));
        let shared = Rc::new(Shared {
            endpoint,
            role: role.into(),
            settings,
            link: watch::Sender::new(Err("not yet connected".to_owned())),
            prepare,
            connected: Cell::default(),
            observer: RefCell::new(observer),
        });
        let task = tokio::task::spawn_local(life::run(shared.clone(), backoff)).abort_handle();
        Self { owner: Rc::new(EndOnDrop { shared: shared.clone(), task }), shared }
    }

    /// Where the server is, without the password when shown.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// The link that is up now, if one is.
    pub fn now(&self) -> Option<Rc<Link>> {
        self.shared.link.borrow().as_ref().ok().cloned()
    }

    /// Why no link is up now, if none is.
    pub fn why_down(&self) -> Option<String> {
        self.shared.link.borrow().as_ref().err().cloned()
    }

    /// The link that is up, waited for until `deadline`.
    ///
    /// # Errors
    /// [`CommandError::NotSent`] at the deadline, and when the connection is closed.
    pub async fn link(&self, deadline: Instant) -> Result<Rc<Link>, CommandError> {
        let mut links = self.shared.link.subscribe();
        if let Ok(link) = &*links.borrow_and_update() {
            return Ok(link.clone());
        }
        let up = timeout_at(deadline, links.wait_for(Result::is_ok)).await;
        if let Ok(Ok(link)) = up
            && let Ok(link) = &*link
        {
            return Ok(link.clone());
        }
        let why = self.shared.link.borrow().as_ref().err().cloned().unwrap_or_default();
        Err(CommandError::NotSent(format!("no connection to {}: {why}", self.shared.endpoint)))
    }

    /// Says goodbye to the server, so that all that was written before arrives, then ends the connection and its tasks.
    /// Whoever waits for it fails.
    pub async fn close(&self, deadline: Instant) {
        // Nobody watches any more: an end that is ours is no outage.
        self.owner.task.abort();
        if let Some(link) = self.now() {
            // A server that does not answer in time is left.
            timeout_at(deadline, link.connection.close(200, "closed".into())).await.ok();
        }
        self.owner.end();
    }
}

impl Shared {
    pub(super) fn tell(&self, state: &State) {
        (self.observer.borrow_mut())(state);
    }
}

impl EndOnDrop {
    fn end(&self) {
        // Aborting drops what the life of the connection holds; the link goes with its last holder.
        self.task.abort();
        let link = self.shared.link.send_replace(Err("the connection is closed".to_owned()));
        // Whoever holds the link lets it go then, and the server has back what was in hand there.
        if let Ok(link) = link {
            link.give_up(ConnectError::Lost("we closed it".to_owned()));
        }
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
