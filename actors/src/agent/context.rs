use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::after_ack;
use super::delivery_state::{DeliveryState, Refused};
use super::flag::Flag;
use super::handlers::IntoAnswer;
use super::info::{AgentInfo, Facts};
use super::shared::Shared;
use crate::error::Error;

/// The context of an agent: who it is, and its life.
///
/// It cannot publish, call or send: a handler that does says so in its signature.
#[derive(Clone)]
pub struct Cx {
    core: Arc<Core>,
    /// Whether whoever has this context waits for the stop.
    pub(crate) listens: Arc<AtomicBool>,
    /// What the consumer that has this context has in hand.
    delivery: Option<Arc<DeliveryState>>,
}

/// What all contexts of one instance share.
struct Core {
    shared: Arc<Shared>,
    info: Arc<Facts>,
    /// The instance asked for its own end.
    finish: AtomicBool,
    stopping: Flag,
}

impl Cx {
    pub(crate) fn new(shared: Arc<Shared>, info: Arc<Facts>) -> Self {
        let core = Core { shared, info, finish: AtomicBool::new(false), stopping: Flag::default() };
        Self { core: Arc::new(core), listens: Arc::default(), delivery: None }
    }

    /// The context of one handling of a message.
    pub(crate) fn of_delivery(&self, delivery: Option<Arc<DeliveryState>>) -> Self {
        Self { core: self.core.clone(), listens: self.listens.clone(), delivery }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.core.shared
    }

    /// Whether the instance asked for its own end.
    pub(crate) fn wants_to_end(&self) -> bool {
        self.core.finish.load(Ordering::Acquire)
    }

    pub(crate) fn stopping_flag(&self) -> &Flag {
        &self.core.stopping
    }

    /// The agent's name.
    pub fn agent(&self) -> &str {
        &self.shared().agent
    }

    /// The uid of the agent, which stands in the channel of its answers. It stays the same over restarts.
    pub fn uid(&self) -> &str {
        &self.shared().uid
    }

    /// What the agent is: its handlers and what they have done so far, what it sends, its bus and broker. Without
    /// secrets. It is put together for each who asks; how the agent's supervisor sees it stands in
    /// [`Group::info`](crate::group::Group::info).
    pub fn info(&self) -> AgentInfo {
        self.core.info.info()
    }

    /// The settings that the agent was given when it was added to its group, decoded into `T`. When it was given none,
    /// they are the defaults of `T`, if it has some for everything.
    ///
    /// [`Settings`](super::Settings) is the same as an extractor, which refuses a misfit when the agent starts.
    ///
    /// ```
    /// use formicary_actors::agent::Cx;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Smtp {
    ///     host: String,
    ///     #[serde(default = "submission")]
    ///     port: u16,
    /// }
    ///
    /// fn submission() -> u16 {
    ///     587
    /// }
    ///
    /// fn server(cx: &Cx) -> Result<String, formicary_actors::Error> {
    ///     let smtp: Smtp = cx.settings()?;
    ///     Ok(format!("{}:{}", smtp.host, smtp.port))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::AgentSettings`] with the key, what was expected and what was found, and never a value. A key that `T`
    /// does not have is an error too.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Error> {
        super::settings::decode(&self.shared().settings)
            .map_err(|problems| Error::AgentSettings { agent: self.agent().to_owned(), problems })
    }

    /// The same as they were given; `null` when the agent was given none.
    pub fn settings_value(&self) -> &Value {
        &self.shared().settings
    }

    /// The group's wall clock.
    pub fn clock(&self) -> crate::Clock {
        self.shared().env.clock
    }

    /// Asks the agent to end, as a normal end: it drains, runs `pre_stop` and is dropped. Whether it starts again is the
    /// matter of its restart policy: `permanent` starts a fresh instance, `transient` and `temporary` do not.
    pub fn stop(&self) {
        self.core.finish.store(true, Ordering::Release);
        self.shared().wake.notify_one();
    }

    /// The same for a server, which listens for itself, and a way to know whether it does.
    pub(crate) fn for_server(&self) -> (Self, Arc<AtomicBool>) {
        let listens = Arc::<AtomicBool>::default();
        (Self { core: self.core.clone(), listens: listens.clone(), delivery: None }, listens)
    }

    /// Runs something after the message in hand was acknowledged: when its handler has ended, and the broker has forgotten
    /// it for good. It does not run when the message comes back, is given up, or turns out not to be ours any more.
    ///
    /// It belongs to the handling: it keeps one of the consumer's places (`concurrency`), has the handler's timeout over again,
    /// and a stop waits for it up to the stop deadline. It holds no turn. What fails is logged and counted, and so is a panic,
    /// which ends nothing else. It ends with its instance when the agent crashes, and with the process: what must happen
    /// belongs into the handler, or into an [`Outbox`](super::Outbox).
    ///
    /// ```
    /// use formicary_actors::agent::{Agent, AgentBuilder, Cx};
    /// # use formicary_protocol::{Field, Queue};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Mail { email: String }
    /// # struct Mailer;
    /// # impl Queue for Mailer {
    /// #     const NAME: &'static str = "mailer";
    /// #     type Message = Mail;
    /// #     fn fields() -> Option<Vec<Field>> { None }
    /// # }
    ///
    /// struct Post;
    ///
    /// impl Agent for Post {
    ///     fn declare(agent: &mut AgentBuilder<Self>) {
    ///         agent.consumer::<Mailer, _, _, _, _>("deliver", async |_: &Self, mail: Mail, cx: Cx| {
    ///             cx.after_ack(async move { println!("{} will have no second mail", mail.email) })
    ///         });
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Settings`] in other handlers than consumers of single messages, and when the message is settled already;
    /// [`Error::TooMany`] beyond 64 for one message.
    pub fn after_ack<R: IntoAnswer>(&self, work: impl Future<Output = R> + Send + 'static) -> Result<(), Error> {
        let Some(state) = &self.delivery else {
            return Err(Error::Settings("there is no message to acknowledge: `after_ack` is for consumers".to_owned()));
        };
        state.hold_after(after_ack::boxed(work), after_ack::MOST).map_err(|refused| match refused {
            Refused::Settled => {
                Error::Settings("the message is settled already: call `after_ack` before that".to_owned())
            }
            Refused::Full => {
                Error::TooMany { what: "works after one acknowledgement".to_owned(), limit: after_ack::MOST }
            }
        })
    }

    /// Whether the agent stops.
    pub fn is_stopping(&self) -> bool {
        self.core.stopping.is_raised()
    }

    /// Returns when the agent stops. A server that waits for this has until the stop deadline to end by itself; one that
    /// does not is aborted when the handlers have finished.
    pub async fn stopping(&self) {
        self.listens.store(true, Ordering::Release);
        self.core.stopping.raised().await;
    }
}

impl std::fmt::Debug for Cx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("agent", &self.agent()).field("uid", &self.uid()).finish_non_exhaustive()
    }
}
