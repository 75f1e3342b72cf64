//! The broker that records.

mod adapter;
mod tap;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formicary_protocol::{Bytes, Queue};
use tokio::sync::oneshot;

use self::adapter::Adapter;
use super::Settled;
use super::ledger::{Ledger, What};
use super::view::{View, encoded};
use crate::Env;
use crate::broker::{Broker, BrokerPort, MemoryBroker};
use crate::contract::Token;
use crate::error::SendError;

/// A broker for tests: it records what is pushed and what became of each delivery, and fails as it is told.
///
/// Behind it is a broker in memory, so that what no script says happens as ever: a message reaches the consumers of its
/// queue, and comes back when they fail. It can what any broker can: outboxes, `dedup`, and all options of a send; of those
/// `expires` is taken and goes no further.
///
/// ```
/// use formicary_actors::testing::RecordingBroker;
/// # use formicary_actors::group::{BrokerConfig, Group};
/// # use formicary_protocol::{Declarations, Field, Queue};
/// # struct Mailer;
/// # impl Queue for Mailer {
/// #     const NAME: &'static str = "mailer";
/// #     type Message = String;
/// #     fn fields() -> Option<Vec<Field>> { None }
/// # }
/// # actix::System::new().block_on(async {
/// # let declarations = Declarations::parse(r#"{"queues": [{"name": "mailer"}]}"#, "example").unwrap();
///
/// let broker = RecordingBroker::new();
/// broker.fail_send::<Mailer>(formicary_actors::SendError::unknown("the connection was lost"));
/// let group = Group::builder().declarations(declarations).broker(BrokerConfig::recording(broker.clone()));
/// let group = group.start().await.unwrap();
///
/// assert!(group.broker().send::<Mailer>(&"lost".into()).await.is_err());
/// group.broker().send::<Mailer>(&"sent".into()).await.unwrap();
/// assert_eq!(broker.assert_pushed_once::<Mailer>(), "sent");
/// # group.stop().await;
/// # });
/// ```
#[derive(Clone, Default)]
pub struct RecordingBroker(Arc<Shared>);

struct Shared {
    memory: MemoryBroker,
    book: Mutex<Book>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { memory: MemoryBroker::with_headers(), book: Mutex::default() }
    }
}

#[derive(Default)]
struct Book {
    ledger: Ledger,
    scripts: BTreeMap<&'static str, Script>,
    /// Deliveries of a harness, which stand in no queue.
    direct: BTreeMap<Token, Direct>,
    directs: u64,
}

#[derive(Default)]
struct Script {
    failures: VecDeque<SendError>,
    delay: Duration,
}

/// A delivery that a harness has made, and where it waits for what becomes of it.
struct Direct {
    attempt: u32,
    body: Bytes,
    told: oneshot::Sender<Settled>,
}

/// The broker in memory counts its tokens from 1, and never so far.
const FIRST_DIRECT: u64 = 1 << 62;

impl RecordingBroker {
    /// A broker without scripts, with empty queues.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an adapter for one group on the current arbiter.
    pub fn start(&self, env: Env) -> Broker {
        let inner = self.0.memory.start(env.clone());
        let state = inner.state();
        Broker::new(BrokerPort::start(Adapter::new(self.clone(), inner)), env, state)
    }

    /// The broker behind it: what another program does is done there, and not recorded.
    pub fn memory(&self) -> &MemoryBroker {
        &self.0.memory
    }

    /// Puts a message into its queue, as another program would: it is not recorded as pushed.
    ///
    /// # Panics
    /// When it cannot be encoded.
    #[track_caller]
    pub fn put<Q: Queue>(&self, message: &Q::Message) {
        self.0.memory.push_raw(Q::NAME, &encoded(message));
    }

    /// The messages that were pushed, in order, those of outboxes too. Those that a script failed stand in
    /// [`RecordingBroker::records`] only.
    ///
    /// # Panics
    /// When one does not decode into the queue's messages.
    #[track_caller]
    pub fn pushed<Q: Queue>(&self) -> Vec<Q::Message> {
        pushed(&self.book().ledger, Some(Q::NAME)).all()
    }

    /// What became of the deliveries of a queue, in the order of their settlements.
    pub fn settled<Q: Queue>(&self) -> Vec<Settled> {
        let book = self.book();
        let settled = book.ledger.entries().filter_map(|entry| match &entry.what {
            What::Settled(settled) if settled.queue == Q::NAME => Some(settled.clone()),
            _ => None,
        });
        settled.collect()
    }

    /// The queues that somebody consumes now, in the order in which they began.
    pub fn consumed(&self) -> Vec<String> {
        let mut consumed: Vec<String> = Vec::new();
        for entry in self.book().ledger.entries() {
            match entry.what {
                What::Consumes => consumed.push(entry.name.to_string()),
                What::Cancelled => {
                    if let Some(at) = consumed.iter().position(|name| **name == *entry.name) {
                        consumed.remove(at);
                    }
                }
                _ => {}
            }
        }
        consumed
    }

    /// Everything that was recorded, in order, a line each, as the panics of the assertions show it. The last 100,000.
    pub fn records(&self) -> Vec<String> {
        self.book().ledger.lines()
    }

    /// Forgets what was recorded, and leaves the scripts and the queues.
    pub fn clear(&self) {
        self.book().ledger.clear();
    }

    /// Fails the next send to `Q`, which then does not reach the queue. Several are used in the order in which they were
    /// given.
    pub fn fail_send<Q: Queue>(&self, error: SendError) {
        self.book().scripts.entry(Q::NAME).or_default().failures.push_back(error);
    }

    /// Lets every send to `Q` take so long. Its deadline holds: what takes longer fails.
    pub fn delay<Q: Queue>(&self, delay: Duration) {
        self.book().scripts.entry(Q::NAME).or_default().delay = delay;
    }

    /// Announces a delivery that a harness makes. Returns its token and where to wait for what becomes of it.
    pub(super) fn expect(&self, attempt: u32, body: Bytes) -> (Token, oneshot::Receiver<Settled>) {
        let (told, settled) = oneshot::channel();
        let mut book = self.book();
        book.directs += 1;
        let token = Token(FIRST_DIRECT + book.directs);
        book.direct.insert(token, Direct { attempt, body, told });
        (token, settled)
    }

    pub(super) fn recorded(&self) -> usize {
        self.book().ledger.len()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A test may panic while it looks; what it looked at is whole.
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Assertions. They panic with what was expected and with everything that was recorded.
impl RecordingBroker {
    /// That an equal message was pushed: one of the same JSON.
    #[track_caller]
    pub fn assert_pushed<Q: Queue>(&self, message: &Q::Message) {
        pushed(&self.book().ledger, Some(Q::NAME)).holds(message);
    }

    /// That one message was pushed to `Q`. Returns it.
    #[track_caller]
    pub fn assert_pushed_once<Q: Queue>(&self) -> Q::Message {
        pushed(&self.book().ledger, Some(Q::NAME)).once()
    }

    /// That so many messages were pushed to `Q`.
    #[track_caller]
    pub fn assert_pushed_times<Q: Queue>(&self, times: usize) {
        pushed(&self.book().ledger, Some(Q::NAME)).times(times);
    }

    /// That nothing was pushed to `Q`.
    #[track_caller]
    pub fn assert_not_pushed<Q: Queue>(&self) {
        self.assert_pushed_times::<Q>(0);
    }

    /// That nothing was pushed.
    #[track_caller]
    pub fn assert_nothing_pushed(&self) {
        pushed(&self.book().ledger, None).times(0);
    }
}

impl std::fmt::Debug for RecordingBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingBroker").field("records", &self.recorded()).finish_non_exhaustive()
    }
}

fn pushed<'a>(ledger: &'a Ledger, name: Option<&'static str>) -> View<'a> {
    let is = |what: &What| matches!(what, What::Pushed | What::PushedOnAck);
    View { ledger, place: "broker", verb: "pushed", is, name }
}
