//! Agents as a whole, on the adapters in memory with a paused clock.

mod calls;
mod common;
mod crashes;
mod queues;
mod signals;
mod stop;
mod timers;
