use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use formicary_protocol::Queue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::consumer::Batch;
use super::{AgentBuilder, ConsumerOptions};
use crate::Retry;
use crate::agent::batch_handlers::{read_batch, write_batch};
use crate::agent::extract::{Extract, Needs};
use crate::agent::handlers::IntoAnswer;
use crate::agent::item::Item;
use crate::agent::plan::OpenConsumer;
use crate::agent::turns::Turn;
use crate::layers::Layer;

/// Consumers of batches.
///
/// A batch is handed out when it is full, or when its first message has waited long enough ([`BatchOptions::batch`]). Each
/// [`Item`] is settled on its own: by hand, or by the handler's result. What cannot be decoded becomes a dead letter and is in no
/// batch. The consumer's policy holds for each message: attempts, dead letters, `on_exhausted` and `dedup`.
/// A panic is a failed attempt of every message of its batch that is not settled yet. `Delivery`, `RetryContext` and
/// `Outbox` are for consumers of single messages.
impl<A: 'static> AgentBuilder<A> {
    /// A consumer of the queue `Q` that takes batches. `P` is what each message is decoded into.
    pub fn batch_consumer<Q, P, X, R, F>(&mut self, name: &str, run: F) -> BatchOptions<'_>
    where
        Q: Queue,
        P: DeserializeOwned + 'static,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&A, Vec<Item<P>>, X) -> R + 'static,
    {
        self.add_batch_consumer::<Q, P, X>(name, Turn::Read, read_batch(Q::NAME, run))
    }

    /// The same with a write turn: one batch at a time, alone.
    pub fn batch_consumer_mut<Q, P, X, R, F>(&mut self, name: &str, run: F) -> BatchOptions<'_>
    where
        Q: Queue,
        P: DeserializeOwned + 'static,
        X: Extract,
        R: IntoAnswer,
        F: AsyncFn(&mut A, Vec<Item<P>>, X) -> R + 'static,
    {
        self.add_batch_consumer::<Q, P, X>(name, Turn::Write, write_batch(Q::NAME, run))
    }

    fn add_batch_consumer<Q: Queue, P: 'static, X: Extract>(
        &mut self,
        name: &str,
        turn: Turn,
        open: OpenConsumer<A>,
    ) -> BatchOptions<'_> {
        let mut needs = Needs::default();
        X::needs(&mut needs);
        let of_items = [
            ("Delivery", needs.deliveries > 0, "each item has its own, `item.delivery()`"),
            ("Metadata", needs.metadata, "each item has its own, `item.delivery()`"),
            ("RetryContext", needs.retries, "each item has its own attempts, `item.delivery()`"),
            ("Outbox", !needs.outboxes.is_empty(), "use `Push`, or a consumer of single messages"),
        ];
        for (what, _, cure) in of_items.into_iter().filter(|(_, asks, _)| *asks) {
            self.plan.mistakes.push(format!("`{name}` takes batches and asks for `{what}`: {cure}"));
        }
        let options = self.add_consumer::<Q, P, X>(name, turn, open);
        options.batch = Some(Batch::default());
        options.concurrency = NonZeroUsize::MIN;
        BatchOptions(options)
    }
}

/// Options of a consumer that takes batches.
///
/// ```
/// use std::time::Duration;
/// use formicary_actors::agent::{Agent, AgentBuilder, Item};
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
///         agent
///             .batch_consumer::<Mailer, _, _, _, _>("deliver", async |_: &Self, mails: Vec<Item<Mail>>, ()| {
///                 println!("{} mails at once", mails.len());
///             })
///             .batch(100.try_into().unwrap(), Duration::from_millis(50))
///             .timeout(Duration::from_secs(30));
///     }
/// }
/// ```
#[derive(Debug)]
pub struct BatchOptions<'a>(&'a mut ConsumerOptions);

impl BatchOptions<'_> {
    /// How many messages a batch holds at most, when nothing else is said: 64.
    pub const MOST: NonZeroUsize = NonZeroUsize::new(64).unwrap();
    /// How long the first message of a batch waits for others, when nothing else is said: 100 ms.
    pub const WAIT: Duration = Duration::from_millis(100);

    /// Sets how many messages a batch holds at most, and how long the first one waits for others. Default
    /// [64](Self::MOST), and [100 ms](Self::WAIT).
    /// With a wait of 0 a batch holds what is there.
    pub fn batch(&mut self, most: NonZeroUsize, wait: Duration) -> &mut Self {
        self.0.batch = Some(Batch { most, wait });
        self
    }

    /// Sets how many batches are handled at once. Default 1. As many messages are in hand as all of them hold; the broker
    /// gives no more.
    pub fn concurrency(&mut self, batches: NonZeroUsize) -> &mut Self {
        self.0.concurrency = batches;
        self
    }

    /// Sets how long the handling of one batch may take. Default 60 s.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.0.timeout(timeout);
        self
    }

    /// Sets how many handlings of batches may begin in a second, evenly spaced; what comes faster waits. Default: no such
    /// bound.
    pub fn rate(&mut self, per_second: NonZeroU32) -> &mut Self {
        self.0.rate(per_second);
        self
    }

    /// Sets what is done about a message that failed: see [`ConsumerOptions::retry`].
    pub fn retry(&mut self, retry: Retry) -> &mut Self {
        self.0.retry(retry);
        self
    }

    /// Sets whether a message that is given up becomes a dead letter: see [`ConsumerOptions::dead_letter`].
    pub fn dead_letter(&mut self, keep: bool) -> &mut Self {
        self.0.dead_letter(keep);
        self
    }

    /// Handles a message once only, by the id that its sender gave: see [`ConsumerOptions::dedup`].
    pub fn dedup(&mut self, window: Duration) -> &mut Self {
        self.0.dedup(window);
        self
    }

    /// The same by a key that is read from the message: see [`ConsumerOptions::dedup_by`]. Of several messages with one key
    /// a batch holds the first; the others wait until that is settled.
    pub fn dedup_by<P: 'static, K: Serialize>(
        &mut self,
        window: Duration,
        key: impl Fn(&P) -> K + 'static,
    ) -> &mut Self {
        self.0.dedup_by(window, key);
        self
    }

    /// Puts a layer around the handler, inside of those that were added before.
    pub fn layer(&mut self, layer: impl Layer) -> &mut Self {
        self.0.layer(layer);
        self
    }
}
