use std::cell::Cell;
use std::rc::Rc;

use formicary_protocol::answer_patterns;
use tokio::time::{Instant, timeout_at};

use super::consume::receive;
use super::publish::Outgoing;
use crate::bus::Subscriptions;
use crate::connection::{chance, follow};
use crate::contract::ConnectionState;
use crate::redis::{Connection, Line, State};
use crate::waiter::{FailAll, WaiterPort};
use crate::{AdapterContext, RedisConfig};

/// What the adapter and its tasks share; all of it lives on one thread.
pub(super) struct Link {
    pub(super) context: Rc<AdapterContext>,
    pub(super) connection: Connection,
    /// What is to be published.
    pub(super) line: Line<Outgoing>,
    pub(super) subscriptions: Rc<Subscriptions>,
    pub(super) waiter: WaiterPort,
    pub(super) closed: Cell<bool>,
}

impl Link {
    pub(super) fn open(config: &RedisConfig, context: AdapterContext, waiter: WaiterPort) -> Rc<Self> {
        let context = Rc::new(context);
        let subscriptions = Rc::new(Subscriptions::default());
        let connection = Connection::open(
            config.endpoint.clone(),
            "bus",
            config.settings_for(&context.env.limits),
            chance(&context.env.ids),
            observer(context.clone(), waiter.clone()),
            Some(receive(context.clone(), subscriptions.clone(), waiter.clone())),
        );
        // Kept from the start, so that whoever can call can be answered.
        for pattern in answer_patterns(&context.env.prefix) {
            connection.keep(&pattern);
        }
        let line = Line::new(connection.clone());
        Rc::new(Self { context, connection, line, subscriptions, waiter, closed: Cell::new(false) })
    }

    /// Carries out what was accepted until `deadline`, then ends the connection. The second time it does nothing.
    pub(super) async fn close(&self, deadline: Instant) {
        if self.closed.replace(true) {
            return;
        }
        timeout_at(deadline, self.line.idle()).await.ok();
        self.connection.close(deadline.saturating_duration_since(Instant::now())).await;
        self.subscriptions.clear();
        self.waiter.put(FailAll { reason: "the bus was closed".to_owned() });
        self.context.state.send_replace(ConnectionState::Closed);
    }
}

/// Tells the state, and fails the calls whose answers a lost connection takes with it: all that the waiter knows. One
/// that is not yet published is not yet known to it.
fn observer(context: Rc<AdapterContext>, waiter: WaiterPort) -> Box<dyn FnMut(&State)> {
    let mut tell = follow("bus", context);
    Box::new(move |state| {
        tell(state);
        if let State::Down { reason } = state {
            waiter.put(FailAll { reason: reason.to_string() });
        }
    })
}
