//! The harness around one agent.

mod builder;
mod message;
mod signal;
mod tick;
mod watch;

use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

pub use self::builder::HarnessBuilder;
pub use self::message::Received;
pub use self::signal::Returned;
use self::watch::Watch;
use super::{RecordingBroker, RecordingBus};
use crate::agent::{Agent, Instance, Turn};
use crate::events::Events;
use crate::group::{Exit, Group};

/// One agent on a stage of its own: it is given signals, messages and ticks, and what its handlers return is given back.
///
/// The agent runs as it does in a group, with its hooks, turns, layers, timeouts and restarts, on a [`RecordingBus`] and a
/// [`RecordingBroker`]. Only its periodic and cron handlers wait for [`Harness::tick`].
///
/// Run it under `#[actix::test]` after `tokio::time::pause()`: whatever waits then takes no time. (That needs tokio's feature
/// `test-util`, as a dev-dependency. Blocking handlers run on threads, which know nothing of a paused clock: let it run for
/// those.)
///
/// An error of a handler comes back. A panic fails the test with its text, also when a handler panics that nobody has asked;
/// see [`HarnessBuilder::may_crash`].
///
/// ```
/// use formicary_actors::agent::{Agent, AgentBuilder, Push};
/// use formicary_actors::testing::Harness;
/// # use formicary_actors::HandlerError;
/// # use formicary_protocol::{Declarations, Field, Queue, Signal};
/// # #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// # struct UserCreated { user_id: u64 }
/// # impl Signal for UserCreated {
/// #     const NAME: &'static str = "user_created";
/// #     type Answer = serde_json::Value;
/// #     fn fields() -> Vec<Field> { vec![Field::of::<u64>("user_id")] }
/// # }
/// # struct Mailer;
/// # impl Queue for Mailer {
/// #     const NAME: &'static str = "mailer";
/// #     type Message = String;
/// #     fn fields() -> Option<Vec<Field>> { None }
/// # }
/// # const DECLARATIONS: &str = r#"{"signals": [{"name": "user_created", "providing_args": ["user_id"]}],
/// #     "queues": [{"name": "mailer"}]}"#;
///
/// #[derive(Default)]
/// struct Greeter {
///     greeted: u64,
/// }
///
/// impl Agent for Greeter {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.receiver_mut("greet", async |me: &mut Self, user: UserCreated, mails: Push<Mailer>| {
///             me.greeted += 1;
///             mails.send(&format!("Welcome user {}", user.user_id)).await
///         });
///         agent.consumer::<Mailer, _, _, _, _>("deliver", async |_: &Self, mail: String, ()| {
///             if mail.is_empty() { Err("an empty mail") } else { Ok(()) }
///         });
///     }
/// }
///
/// # actix::System::new().block_on(async {
/// # let declarations = Declarations::parse(DECLARATIONS, "example").unwrap();
/// let greeter = Harness::of(Greeter::default).declarations(declarations).start().await.unwrap();
///
/// greeter.signal("user_agent", &UserCreated { user_id: 7 }).await.unwrap();
/// assert_eq!(greeter.broker().assert_pushed_once::<Mailer>(), "Welcome user 7");
/// assert_eq!(greeter.with(|agent| agent.greeted).await, 1);
///
/// let settled = greeter.message::<Mailer>(&String::new()).await;
/// assert_eq!(settled.assert_retried(), "an empty mail");
/// greeter.stop().await;
/// # });
/// ```
#[must_use = "stop it: a crash that nobody has seen is told there"]
pub struct Harness<A> {
    group: Group,
    bus: RecordingBus,
    broker: RecordingBroker,
    watch: Rc<Watch<A>>,
    may_crash: bool,
}

/// How long [`Harness::idle`] waits.
const PATIENCE: Duration = Duration::from_secs(600);

impl<A: Agent> Harness<A> {
    /// A harness for the agent that a factory makes. The factory is called again after each crash.
    pub fn of(factory: impl Fn() -> A + Send + Sync + 'static) -> HarnessBuilder<A> {
        HarnessBuilder::new(builder::factory(factory))
    }

    /// The bus: what the agent has sent and called, and scripts for what it will.
    pub fn bus(&self) -> &RecordingBus {
        &self.bus
    }

    /// The broker: what the agent has pushed, and scripts for what it will.
    pub fn broker(&self) -> &RecordingBroker {
        &self.broker
    }

    /// The group in which the agent runs, with handles of its bus and its broker. What is sent through them is recorded.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// What happens to the agent.
    pub fn events(&self) -> &Events {
        self.group.events()
    }

    /// Looks at the agent's state, in a read turn.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&A) -> R) -> impl Future<Output = R> {
        let at = Location::caller();
        async move {
            let instance = self.instance(at).await;
            let _turn = instance.core.turns.take(Turn::Read).await;
            f(&instance.agent.borrow())
        }
    }

    /// Changes the agent's state, in a write turn.
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(&mut A) -> R) -> impl Future<Output = R> {
        let at = Location::caller();
        async move {
            let instance = self.instance(at).await;
            let _turn = instance.core.turns.take(Turn::Write).await;
            f(&mut instance.agent.borrow_mut())
        }
    }

    /// Waits until the agent has nothing in hand: no handler runs, and no signal and no message waits that could be
    /// handled now. A message that waits for its next attempt does not count. A paused clock moves on as far as the running
    /// handlers need.
    ///
    /// # Panics
    /// When that takes more than 10 minutes, or the agent crashes.
    #[track_caller]
    pub fn idle(&self) -> impl Future<Output = ()> {
        let at = Location::caller();
        let work = async move {
            loop {
                let before = (self.bus.recorded(), self.broker.recorded());
                let is_idle = self.has_nothing().await && self.group.load().is_idle();
                if is_idle && before == (self.bus.recorded(), self.broker.recorded()) {
                    return;
                }
                // Not a mere yield: a paused clock would stand still.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        async move {
            if tokio::time::timeout(PATIENCE, self.unless_crashed(at, work)).await.is_err() {
                let load = self.group.load();
                fail(at, &format!("the agent is not idle after {PATIENCE:?}: {load:?}"));
            }
        }
    }

    /// Whether no queue that is consumed has something to give. What was handed to bus and broker before has arrived then.
    async fn has_nothing(&self) -> bool {
        self.group.bus().describe().await.ok();
        for queue in self.broker.consumed() {
            let counts = self.group.broker().inspect(&queue).await;
            if counts.is_ok_and(|counts| counts.waiting + counts.in_flight > 0) {
                return false;
            }
        }
        true
    }

    /// The crashes so far: the handler's name and the panic's text, of each. Empty, unless the agent
    /// [may crash](HarnessBuilder::may_crash).
    pub fn crashes(&self) -> Vec<(String, String)> {
        let crashes = self.watch.crashes();
        crashes.into_iter().map(|crash| (crash.handler.to_string(), crash.message.to_string())).collect()
    }

    /// Stops the agent as a group does: running handlers end, `pre_stop` runs.
    ///
    /// # Panics
    /// When the agent has crashed, unless it may.
    #[track_caller]
    pub fn stop(self) -> impl Future<Output = Exit> {
        let at = Location::caller();
        async move {
            let Self { group, watch, may_crash, .. } = self;
            let exit = group.stop().await;
            check(at, &watch, may_crash);
            exit
        }
    }

    /// The instance that lives now, or the next one.
    async fn instance(&self, at: &'static Location<'static>) -> Rc<Instance<A>> {
        let next = async {
            loop {
                let changed = self.watch.changed();
                if let Some(instance) = self.watch.instance() {
                    return instance;
                }
                changed.await;
            }
        };
        self.unless_crashed(at, next).await
    }

    /// Waits for something that the agent does. A crash fails the test, and so does the end of the agent.
    async fn unless_crashed<T>(&self, at: &'static Location<'static>, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    check(at, &self.watch, self.may_crash);
                    return done;
                }
                () = self.watch.changed() => check(at, &self.watch, self.may_crash),
                exit = self.group.ended() => {
                    check(at, &self.watch, self.may_crash);
                    fail(at, &format!("the agent has ended ({exit:?}): it does nothing more"));
                }
            }
        }
    }
}

impl<A> std::fmt::Debug for Harness<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").field("bus", &self.bus).field("broker", &self.broker).finish_non_exhaustive()
    }
}

/// Fails the test when the agent has crashed and may not.
fn check<A>(at: &Location<'_>, watch: &Watch<A>, may_crash: bool) {
    if may_crash {
        return;
    }
    if let Some(crash) = watch.crashes().first() {
        fail(at, &format!("the agent crashed: `{}` panicked: {}", crash.handler, crash.message));
    }
}

/// Fails the test, and names the line that has asked: an async function knows only its own.
fn fail(at: &Location<'_>, text: &str) -> ! {
    panic!("{text}\n(asked for at {at})")
}

/// Names in a panic.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
