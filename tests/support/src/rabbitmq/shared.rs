//! One node for all tests of a process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::{Place, Server};

/// An empty place of the test's own on a node that all tests of this process share. The first who asks waits for the node,
/// some seconds; the node ends with the process.
///
/// The name of the place holds `test`, so that the node's log tells whose it is. A test that stops, kills or pauses a node
/// takes a [`Server`] of its own.
///
/// ```no_run
/// # use formicary_test_support::{rabbitmq, require_rabbitmq};
/// # async fn a_test() {
/// if !require_rabbitmq("pushes_are_confirmed") {
///     return;
/// }
/// let place = rabbitmq::shared("pushes_are_confirmed").await;
/// println!("{}", place.url());
/// # }
/// ```
///
/// # Panics
///
/// When the node does not start.
pub async fn shared(test: &str) -> Place<'static> {
    static NODE: OnceLock<Server> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let test: String = test.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = format!("{test}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    // On a thread and a runtime of its own: that of the caller may have a paused clock.
    let made = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime to start RabbitMQ: {error}"));
        let node = NODE.get_or_init(|| runtime.block_on(Server::start()));
        runtime.block_on(node.place(&name))
    });
    made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
