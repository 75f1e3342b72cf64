//! The bus that records.

mod adapter;
mod script;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formicary_protocol::Signal;

use self::adapter::Adapter;
use self::script::{Scripted, Scripts};
use super::ledger::{Ledger, What};
use super::view::{View, scripted};
use crate::Env;
use crate::bus::{Bus, BusPort, MemoryBus};
use crate::error::{CallError, SendError};

/// A bus for tests: it records what it is asked, and answers calls and fails as it is told.
///
/// Behind it is a bus in memory, so that what no script says happens as ever: signals reach the subscriptions of the
/// agents, and a call that nobody takes fails with [`CallError::NobodyListening`].
///
/// ```
/// use formicary_actors::testing::RecordingBus;
/// # use formicary_actors::group::{BusConfig, Group};
/// # use formicary_protocol::{Declarations, Field, Signal};
/// # #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// # struct Count { user_id: u64 }
/// # impl Signal for Count {
/// #     const NAME: &'static str = "count";
/// #     type Answer = u64;
/// #     fn fields() -> Vec<Field> { vec![Field::of::<u64>("user_id")] }
/// # }
/// # actix::System::new().block_on(async {
/// # let declarations = r#"{"signals": [{"name": "count", "providing_args": ["user_id"]}]}"#;
/// # let declarations = Declarations::parse(declarations, "example").unwrap();
///
/// let bus = RecordingBus::new();
/// bus.answer::<Count>(42);
/// let group = Group::builder().declarations(declarations).bus(BusConfig::recording(bus.clone()));
/// let group = group.start().await.unwrap();
///
/// assert_eq!(group.bus().call("example", &Count { user_id: 7 }).await.unwrap(), 42);
/// assert_eq!(bus.assert_called_once::<Count>(), Count { user_id: 7 });
/// bus.assert_nothing_sent();
/// # group.stop().await;
/// # });
/// ```
#[derive(Clone, Default)]
pub struct RecordingBus(Arc<Shared>);

#[derive(Default)]
struct Shared {
    memory: MemoryBus,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    ledger: Ledger,
    scripts: Scripts,
}

impl RecordingBus {
    /// A bus without scripts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an adapter for one group on the current arbiter.
    pub fn start(&self, env: Env) -> Bus {
        let inner = self.0.memory.start(env.clone());
        let state = inner.state();
        Bus::new(BusPort::start(Adapter::new(self.clone(), inner)), env, state)
    }

    /// The bus behind it: what another program does is done there, and not recorded.
    pub fn memory(&self) -> &MemoryBus {
        &self.0.memory
    }

    /// The signals that went out, in order. Those that a script failed stand in [`RecordingBus::records`] only.
    ///
    /// # Panics
    /// When one does not decode into `S`.
    #[track_caller]
    pub fn sent<S: Signal>(&self) -> Vec<S> {
        sent(&self.book().ledger, Some(S::NAME)).all()
    }

    /// The calls that were made, in order, however they ended.
    ///
    /// # Panics
    /// When one does not decode into `S`.
    #[track_caller]
    pub fn calls<S: Signal>(&self) -> Vec<S> {
        called(&self.book().ledger, Some(S::NAME)).all()
    }

    /// The signals that somebody subscribes to now, in the order of their subscriptions.
    pub fn subscriptions(&self) -> Vec<String> {
        let mut subscribed: Vec<String> = Vec::new();
        for entry in self.book().ledger.entries() {
            match entry.what {
                What::Subscribed => subscribed.push(entry.name.to_string()),
                What::Unsubscribed => {
                    if let Some(at) = subscribed.iter().position(|name| **name == *entry.name) {
                        subscribed.remove(at);
                    }
                }
                _ => {}
            }
        }
        subscribed
    }

    /// Everything that was recorded, in order, a line each, as the panics of the assertions show it. The last 100,000.
    pub fn records(&self) -> Vec<String> {
        self.book().ledger.lines()
    }

    /// Forgets what was recorded, and leaves the scripts.
    pub fn clear(&self) {
        self.book().ledger.clear();
    }

    /// Answers the next call of `S`. Several are used in the order in which they were given.
    #[track_caller]
    pub fn answer<S: Signal>(&self, answer: S::Answer) {
        self.script::<S>(Scripted::Answers(vec![scripted(&answer)]));
    }

    /// Answers the next call of `S` with several answers, as from an agent each, for [`Call::all`](crate::agent::Call::all).
    #[track_caller]
    pub fn answer_all<S: Signal>(&self, answers: impl IntoIterator<Item = S::Answer>) {
        let answers = answers.into_iter().map(|answer| scripted(&answer)).collect();
        self.script::<S>(Scripted::Answers(answers));
    }

    /// Fails the next call of `S`.
    pub fn fail_call<S: Signal>(&self, error: CallError) {
        self.script::<S>(Scripted::Fail(error));
    }

    /// Answers every call of `S` for which no other answer is left.
    pub fn answer_with<S: Signal>(&self, answer: impl FnMut(S) -> Result<S::Answer, CallError> + Send + 'static) {
        self.book().scripts.of(S::NAME).answer_with(answer);
    }

    /// Fails the next publish of `S`, which then does not go out.
    pub fn fail_publish<S: Signal>(&self, error: SendError) {
        self.book().scripts.of(S::NAME).failures.push_back(error);
    }

    /// Lets every publish and call of `S` take so long. Their deadlines hold: what takes longer fails.
    pub fn delay<S: Signal>(&self, delay: Duration) {
        self.book().scripts.of(S::NAME).delay = delay;
    }

    fn script<S: Signal>(&self, scripted: Scripted) {
        self.book().scripts.of(S::NAME).answers.push_back(scripted);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A test may panic while it looks; what it looked at is whole.
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn recorded(&self) -> usize {
        self.book().ledger.len()
    }
}

/// Assertions. They panic with what was expected and with everything that was recorded.
impl RecordingBus {
    /// That an equal signal went out: one of the same JSON.
    #[track_caller]
    pub fn assert_sent<S: Signal>(&self, signal: &S) {
        sent(&self.book().ledger, Some(S::NAME)).holds(signal);
    }

    /// That `S` went out once. Returns it.
    #[track_caller]
    pub fn assert_sent_once<S: Signal>(&self) -> S {
        sent(&self.book().ledger, Some(S::NAME)).once()
    }

    /// That `S` went out so many times.
    #[track_caller]
    pub fn assert_sent_times<S: Signal>(&self, times: usize) {
        sent(&self.book().ledger, Some(S::NAME)).times(times);
    }

    /// That no `S` went out.
    #[track_caller]
    pub fn assert_not_sent<S: Signal>(&self) {
        self.assert_sent_times::<S>(0);
    }

    /// That no signal went out.
    #[track_caller]
    pub fn assert_nothing_sent(&self) {
        sent(&self.book().ledger, None).times(0);
    }

    /// That `S` was called with equal arguments: those of the same JSON.
    #[track_caller]
    pub fn assert_called<S: Signal>(&self, ask: &S) {
        called(&self.book().ledger, Some(S::NAME)).holds(ask);
    }

    /// That `S` was called once. Returns its arguments.
    #[track_caller]
    pub fn assert_called_once<S: Signal>(&self) -> S {
        called(&self.book().ledger, Some(S::NAME)).once()
    }

    /// That `S` was called so many times.
    #[track_caller]
    pub fn assert_called_times<S: Signal>(&self, times: usize) {
        called(&self.book().ledger, Some(S::NAME)).times(times);
    }

    /// That nothing was called.
    #[track_caller]
    pub fn assert_nothing_called(&self) {
        called(&self.book().ledger, None).times(0);
    }
}

impl std::fmt::Debug for RecordingBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingBus").field("records", &self.recorded()).finish_non_exhaustive()
    }
}

fn sent<'a>(ledger: &'a Ledger, name: Option<&'static str>) -> View<'a> {
    View { ledger, place: "bus", verb: "sent", is: |what| matches!(what, What::Sent), name }
}

fn called<'a>(ledger: &'a Ledger, name: Option<&'static str>) -> View<'a> {
    View { ledger, place: "bus", verb: "called", is: |what| matches!(what, What::Called(_)), name }
}
