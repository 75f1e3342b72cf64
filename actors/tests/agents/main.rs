//! Agents as a whole, on the adapters in memory with a paused clock.

mod calls;
mod checks;
mod common;
mod compared;
mod crashes;
mod queues;
mod signals;
mod stop;
mod timers;
