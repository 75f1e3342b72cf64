//! A real RabbitMQ server: a node of the test's own, or a place of its own on a node that the tests of a process share.

mod console;
mod erlang;
mod home;
mod launch;
mod options;
mod place;
mod program;
mod server;
mod shared;

pub use options::Options;
pub use place::{Busy, Place, Queue};
pub(crate) use program::{Program, program};
pub use server::Server;
pub use shared::shared;
