//! The test support, tested: on an echo server, a real Redis, and real processes.

mod processes;
mod proxy;
mod python;
mod rabbitmq;
mod redis;
mod tls;

use std::time::Duration;

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// Long enough to notice bytes that should not come.
const A_WHILE: Duration = Duration::from_millis(100);
