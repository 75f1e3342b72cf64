//! Agents as a whole: one body for each test, on the adapters in memory with a paused clock, on a real Redis
//! and on a real RabbitMQ.
#![allow(clippy::unwrap_used, reason = "the lint's own exception for tests does not reach their helpers")]

mod blocking;
mod calls;
mod checks;
mod common;
mod compared;
mod crashes;
mod dedup;
mod edges;
mod exchanges;
mod filters;
mod info;
mod keys;
mod lanes;
mod layers;
mod logs;
#[cfg(feature = "metrics")]
mod metrics;
mod outbox;
mod patterns;
mod policy;
mod policy_checks;
mod queues;
mod rates;
mod receivers;
#[cfg(feature = "redis")]
mod receivers_outages;
mod repeater;
mod settings;
mod signals;
mod stalls;
mod stop;
mod tasks;
mod timers;
mod traces;
