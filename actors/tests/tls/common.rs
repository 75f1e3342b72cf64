//! An environment, and a server that is not there.

use std::sync::Arc;
use std::time::Duration;

use formicary_actors::Env;
use formicary_actors::contract::ConnectionState;
use formicary_protocol::{Declarations, Prefix};
use formicary_test_support::wait;

pub const S: Duration = Duration::from_secs(1);

pub fn env() -> Env {
    let declared = r#"{"signals": [{"name": "ping", "providing_args": ["n"]}], "queues": [{"name": "mailer"}]}"#;
    Env::new(Prefix::default(), Arc::new(Declarations::parse(declared, "test").unwrap()))
}

/// What becomes of a connection: `Ok` when it is up, else the reason, and whether it is lasting.
pub async fn outcome(state: impl Fn() -> ConnectionState) -> Result<(), (String, bool)> {
    wait::until(10 * S, "an outcome of the connection", async || match state() {
        ConnectionState::Up => Some(Ok(())),
        ConnectionState::Down { reason, lasting } => Some(Err((reason, lasting))),
        _ => None,
    })
    .await
}

/// The reason of a connection that somebody has to mend.
pub async fn lasting(state: impl Fn() -> ConnectionState) -> String {
    let (reason, lasting) = outcome(state).await.unwrap_err();
    assert!(lasting, "{reason}");
    reason
}

/// A port on which nobody listens: who connects there first is refused.
pub async fn nowhere() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
