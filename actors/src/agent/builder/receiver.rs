use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::options::{SIXTY, setters};
use crate::agent::filter::Filter;
use crate::layers::{Layer, Layers};

/// Options of a receiver.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReceiverOptions {
    /// How long one handling may take. Default 60 s.
    pub timeout: Duration,
    /// How many handlings run at once. Default 64.
    pub concurrency: NonZeroUsize,
    /// How many signals and calls wait; then the newest is refused. Default 1,024.
    pub inbox: NonZeroUsize,
    /// How many handlings may begin in a second; what comes faster waits in the inbox. Default: no such bound.
    pub rate: Option<NonZeroU32>,
    pub(crate) filter: Option<Filter>,
    pub(crate) layers: Layers,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).unwrap();
        const INBOX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
        Self {
            timeout: SIXTY,
            concurrency: CONCURRENCY,
            inbox: INBOX,
            rate: None,
            filter: None,
            layers: Layers::default(),
        }
    }
}

impl ReceiverOptions {
    setters!(timeout, concurrency, rate, layer);

    /// Sets how many signals and calls wait.
    pub fn inbox(&mut self, inbox: NonZeroUsize) -> &mut Self {
        self.inbox = inbox;
        self
    }

    /// Handles only what the filter says `true` to. The closure takes the payload type of the handler, and must be quick; another
    /// type is a mistake that is reported at start. Set twice, the last one holds.
    ///
    /// It is asked when the payload is decoded, before the rate and the turn. What it refuses is counted
    /// ([`EventKind::Filtered`](crate::events::EventKind::Filtered), `filtered` in `info()`) and is nothing else: no run, no error,
    /// no line in the log. A call that it refuses is not answered by this receiver, as if it did not listen: the caller has the
    /// answer of another one, or its call runs out of time. A filter that panics is a crash of the agent, like a handler that
    /// does: it is counted as a panicked run of the handler, and a call is answered with that error.
    ///
    /// ```
    /// use formicary_actors::agent::{Agent, AgentBuilder};
    /// # use formicary_protocol::{Field, Signal};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Paid { cents: u64 }
    /// # impl Signal for Paid {
    /// #     const NAME: &'static str = "paid";
    /// #     type Answer = serde_json::Value;
    /// #     fn fields() -> Vec<Field> { vec![Field::of::<u64>("cents")] }
    /// # }
    ///
    /// struct Audit;
    ///
    /// impl Agent for Audit {
    ///     fn declare(agent: &mut AgentBuilder<Self>) {
    ///         agent
    ///             .receiver("note", async |_: &Self, paid: Paid, ()| println!("{} cents", paid.cents))
    ///             .filter(|paid: &Paid| paid.cents >= 1_000_000);
    ///     }
    /// }
    /// ```
    pub fn filter<P: 'static>(&mut self, takes: impl Fn(&P) -> bool + 'static) -> &mut Self {
        self.filter = Some(Filter::new(takes));
        self
    }
}
