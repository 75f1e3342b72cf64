use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::Serialize;

use super::BatchOptions;
use super::options::{SIXTY, setters};
use crate::Retry;
use crate::agent::keyed::KeyOf;
use crate::layers::{Layer, Layers};

/// Options of a consumer: how many messages it has in hand, and what becomes of them.
///
/// ```
/// use std::time::Duration;
/// use formicary_actors::Retry;
/// use formicary_actors::agent::{Agent, AgentBuilder};
/// # use formicary_protocol::{Field, Queue};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Mail { user_id: u64, order: String }
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
///         let (first, most) = (Duration::from_secs(2), Duration::from_secs(600));
///         agent
///             .consumer::<Mailer, _, _, _, _>("deliver", async |_: &Self, mail: Mail, ()| println!("{}", mail.user_id))
///             .concurrency(8.try_into().unwrap())
///             .timeout(Duration::from_secs(30))
///             .retry(Retry::exponential(first, most).attempts(8.try_into().unwrap()))
///             .by(|mail: &Mail| mail.user_id)
///             .dedup_by(Duration::from_secs(600), |mail: &Mail| mail.order.clone());
///     }
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsumerOptions {
    /// How long one handling may take. Default 60 s.
    pub timeout: Duration,
    /// How many messages are in hand at once; the broker gives no more. Default 16.
    pub concurrency: NonZeroUsize,
    /// How many handlings may begin in a second, for one instance of the agent; what comes faster waits at the broker.
    /// Default: no such bound.
    pub rate: Option<NonZeroU32>,
    /// What is done about a message whose handler failed. Default: 5 attempts, 1 s × 2ⁿ apart, at most 60 s.
    pub retry: Retry,
    /// Whether a message that is given up becomes a dead letter. Default: yes.
    pub dead_letter: bool,
    pub(crate) by: Option<KeyOf>,
    pub(crate) dedup: Option<Dedup>,
    /// How large batches are, for a consumer that takes some.
    pub(crate) batch: Option<Batch>,
    pub(crate) layers: Layers,
}

/// How messages are told to be the same, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Dedup {
    pub(crate) window: Duration,
    /// `None`: by the id that the sender gave.
    pub(crate) key: Option<KeyOf>,
}

/// When a batch is handed out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    /// It holds so many messages at most.
    pub(crate) most: NonZeroUsize,
    /// Its first message waits so long at most.
    pub(crate) wait: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self { most: BatchOptions::MOST, wait: BatchOptions::WAIT }
    }
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).unwrap();
        Self {
            timeout: SIXTY,
            concurrency: CONCURRENCY,
            rate: None,
            retry: Retry::default(),
            dead_letter: true,
            by: None,
            dedup: None,
            batch: None,
            layers: Layers::default(),
        }
    }
}

impl ConsumerOptions {
    /// How many messages the broker may have given out unsettled.
    pub(crate) fn credit(&self) -> NonZeroUsize {
        match &self.batch {
            Some(batch) => self.concurrency.saturating_mul(batch.most),
            None => self.concurrency,
        }
    }

    setters!(timeout, rate, layer);

    /// Sets how many messages are in hand at once: permits, prefetch and the size of what is taken from the broker in
    /// one go follow from it.
    pub fn concurrency(&mut self, concurrency: NonZeroUsize) -> &mut Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets what is done about a message whose handler failed.
    pub fn retry(&mut self, retry: Retry) -> &mut Self {
        self.retry = retry;
        self
    }

    /// Sets whether a message that is given up becomes a dead letter. With `false` it is acknowledged, counted as
    /// [`EventKind::Discarded`](crate::events::EventKind::Discarded) and logged. What cannot be decoded, and what a
    /// handler puts there itself, becomes a dead letter all the same.
    pub fn dead_letter(&mut self, keep: bool) -> &mut Self {
        self.dead_letter = keep;
        self
    }

    /// Handles messages with one key one after another, in the order of the queue, and those with different keys side by
    /// side. It holds within one instance of the agent; a message that is tried again comes later.
    ///
    /// The closure takes the message type of the handler; another one is a mistake that is reported at start.
    pub fn by<P: 'static, K: Serialize>(&mut self, key: impl Fn(&P) -> K + 'static) -> &mut Self {
        self.by = Some(KeyOf::new(key));
        self
    }

    /// Handles a message once only, by the id that its sender gave: one with an id that was acknowledged within the
    /// window is acknowledged unhandled and counted as
    /// [`EventKind::Deduplicated`](crate::events::EventKind::Deduplicated).
    ///
    /// Messages of plain Redis lists and of memory have no such id: there the start refuses it, and
    /// [`ConsumerOptions::dedup_by`] is the way.
    pub fn dedup(&mut self, window: Duration) -> &mut Self {
        self.dedup = Some(Dedup { window, key: None });
        self
    }

    /// The same by a key that is read from the message. The key is remembered in one atomic step with the
    /// acknowledgement, at the broker, for all consumers of the queue; a message whose handler failed is not remembered.
    pub fn dedup_by<P: 'static, K: Serialize>(
        &mut self,
        window: Duration,
        key: impl Fn(&P) -> K + 'static,
    ) -> &mut Self {
        self.dedup = Some(Dedup { window, key: Some(KeyOf::new(key)) });
        self
    }
}
