use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use lapin::types::ShortString;
use tokio::time::{Instant, timeout_at};

use super::line::Line;
use super::live::{Live, set_up};
use super::writer;
use crate::amqp::{Backlog, CommandError, ConnectError, Connection, State};
use crate::bus::{Names, Subscriptions};
use crate::connection::{chance, follow};
use crate::contract::ConnectionState;
use crate::waiter::{FailAll, WaiterPort};
use crate::{AdapterContext, AmqpConfig};

/// What the adapter and its tasks share; all of it lives on one thread.
pub(super) struct Shared {
    pub(super) context: Rc<AdapterContext>,
    pub(super) connection: Connection,
    /// What is set up on the connection of the moment.
    live: RefCell<Option<Rc<Live>>>,
    pub(super) exchange: ShortString,
    pub(super) backlog: Backlog,
    /// What is to be published.
    pub(super) line: Line,
    pub(super) subscriptions: Subscriptions,
    pub(super) names: RefCell<Names>,
    pub(super) waiter: WaiterPort,
    pub(super) closed: Cell<bool>,
}

impl Shared {
    pub(super) fn open(
        config: &AmqpConfig,
        exchange: ShortString,
        context: AdapterContext,
        waiter: WaiterPort,
    ) -> Rc<Self> {
        let context = Rc::new(context);
        let shared = Rc::new_cyclic(|shared: &Weak<Self>| {
            let mut settings = config.settings.clone();
            settings.read_ahead = Some(config.backlog.prefetch.into());
            let connection = Connection::open(
                config.endpoint.clone(),
                "bus",
                settings,
                chance(&context.env.ids),
                observer(shared.clone(), follow("bus", context.clone())),
                prepare(shared.clone()),
            );
            Self {
                connection,
                live: RefCell::default(),
                exchange,
                backlog: config.backlog,
                line: Line::new(context.env.limits.in_flight.get()),
                subscriptions: Subscriptions::default(),
                names: RefCell::default(),
                waiter,
                closed: Cell::new(false),
                context,
            }
        });
        actix_rt::spawn(writer::run(shared.clone()));
        shared
    }

    pub(super) fn live(&self) -> Option<Rc<Live>> {
        self.live.borrow().clone()
    }

    /// The connection does not do any more: another follows.
    pub(super) fn lose(&self, live: &Rc<Live>, reason: &str) {
        self.live.borrow_mut().take_if(|current| Rc::ptr_eq(current, live));
        live.give_up(reason);
    }

    /// What a message is told that has waited for its way out in vain.
    pub(super) fn refusal(&self) -> CommandError {
        let blocked = self.live().and_then(|live| live.blocked());
        CommandError::NotSent(match (blocked, self.connection.why_down()) {
            (Some(reason), _) => format!("the server takes nothing from us now: {reason}"),
            (None, Some(reason)) => format!("no connection to {}: {reason}", self.connection.endpoint()),
            (None, None) => "the server is too slow: it has not confirmed what is out already".to_owned(),
        })
    }

    /// Carries out what was accepted until `deadline`, then ends the connection. The second time it does nothing.
    pub(super) async fn close(&self, deadline: Instant) {
        if self.closed.replace(true) {
            return;
        }
        timeout_at(deadline, self.line.idle()).await.ok();
        self.connection.close(deadline).await;
        self.live.take();
        self.line.end_all(&CommandError::NotSent("the bus is closed".to_owned()));
        self.subscriptions.clear();
        self.waiter.put(FailAll { reason: "the bus was closed".to_owned() });
        self.context.state.send_replace(ConnectionState::Closed);
    }
}

/// Tells the state, and fails the calls whose answers a lost connection takes with it: all that the waiter knows. One
/// that is not yet published is not yet known to it.
fn observer(shared: Weak<Shared>, mut tell: impl FnMut(&State) + 'static) -> Box<dyn FnMut(&State)> {
    Box::new(move |state| {
        let Some(shared) = shared.upgrade() else { return };
        if let State::Down { reason } = state {
            shared.live.take();
            shared.waiter.put(FailAll { reason: reason.to_string() });
        }
        tell(state);
        shared.line.wake();
    })
}

fn prepare(shared: Weak<Shared>) -> crate::amqp::Prepare {
    Box::new(move |link| {
        let shared = shared.clone();
        Box::pin(async move {
            let gone = || ConnectError::Unreachable("the bus has ended".to_owned());
            let live = set_up(&shared, link).await?;
            shared.upgrade().ok_or_else(gone)?.live.replace(Some(Rc::new(live)));
            Ok(())
        })
    })
}
