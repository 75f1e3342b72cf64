use std::time::Duration;

use formicary_protocol::{Queue, Signal};
use serde::de::DeserializeOwned;

use super::{AgentBuilder, ConsumerOptions, CronOptions, PeriodicOptions, ReceiverOptions};
use crate::agent::extract::{Extract, SignalUse};
use crate::agent::handlers::{IntoAnswer, typed, valued};
use crate::agent::{AnySignal, Turn, blocking};

/// Blocking handlers: plain functions, without the agent, for work that computes or blocks.
///
/// They run on the group's pool ([`crate::group::GroupBuilder::blocking_threads`]), beside everything else. A run that goes
/// on after its timeout has failed, and keeps its place until it returns: a thread cannot be cut off. What they send they
/// wait for with [`crate::block_on`].
///
/// ```
/// use std::time::Duration;
/// use formicary_actors::agent::{Agent, AgentBuilder};
///
/// struct Sums;
///
/// impl Agent for Sums {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.blocking_periodic("sum", Duration::from_secs(60), |()| {
///             println!("{}", (0..1_000_000_000_u64).map(|n| n ^ 7).fold(0, u64::wrapping_add));
///         });
///     }
/// }
/// ```
impl<A: 'static> AgentBuilder<A> {
    /// A blocking receiver of a signal and of calls of it.
    pub fn blocking_receiver<S, X, R, F>(&mut self, name: &str, run: F) -> &mut ReceiverOptions
    where
        S: Signal + Send,
        X: Extract + Send,
        R: IntoAnswer,
        R::Answer: Send,
        F: Fn(S, X) -> R + Send + Sync + 'static,
    {
        let open = blocking::signal(typed::<S>, run);
        self.add_receiver::<S, X, R>(name, &[S::NAME], Some(SignalUse::of::<S>()), Turn::None, open)
    }

    /// A blocking receiver of several signals.
    pub fn blocking_receiver_of<X, R, F>(&mut self, signals: &[&str], name: &str, run: F) -> &mut ReceiverOptions
    where
        X: Extract + Send,
        R: IntoAnswer,
        R::Answer: Send,
        F: Fn(AnySignal, X) -> R + Send + Sync + 'static,
    {
        self.add_receiver::<AnySignal, X, R>(name, signals, None, Turn::None, blocking::signal(valued, run))
    }

    /// A blocking consumer of the queue `Q`.
    pub fn blocking_consumer<Q, P, X, R, F>(&mut self, name: &str, run: F) -> &mut ConsumerOptions
    where
        Q: Queue,
        P: DeserializeOwned + Send + 'static,
        X: Extract + Send,
        R: IntoAnswer,
        F: Fn(P, X) -> R + Send + Sync + 'static,
    {
        self.add_consumer::<Q, P, X>(name, Turn::None, blocking::message(Q::NAME, run))
    }

    /// Runs every `period` on the pool, the first time at once.
    pub fn blocking_periodic<X, R, F>(&mut self, name: &str, period: Duration, run: F) -> &mut PeriodicOptions
    where
        X: Extract + Send,
        R: IntoAnswer,
        F: Fn(X) -> R + Send + Sync + 'static,
    {
        self.add_periodic::<X>(name, period, Turn::None, blocking::task(run))
    }

    /// Runs on the pool at the times of a cron expression in a time zone.
    pub fn blocking_cron<X, R, F>(&mut self, name: &str, expression: &str, zone: &str, run: F) -> &mut CronOptions
    where
        X: Extract + Send,
        R: IntoAnswer,
        F: Fn(X) -> R + Send + Sync + 'static,
    {
        self.add_cron::<X>(name, expression, zone, Turn::None, blocking::task(run))
    }
}
