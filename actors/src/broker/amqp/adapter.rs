use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use tokio::time::{Instant, timeout};

use super::connection::Link;
use super::topology::To;
use super::{consume, dead, inspect, send, settle};
use crate::amqp::done_by;
use crate::contract::{
    Cancel, Capabilities, CloseBroker, Consume, Dead, Declare, DescribeBroker, Description, Inspect, Send, Settle,
    SettleError, WasSeen,
};
use crate::error::Error;

/// How long an adapter whose handles were all dropped without a close gives its messages back.
const ABANDONED: Duration = Duration::from_secs(1);
/// A cancelled consumer's last deliveries are waited for so long.
const CANCELLED: Duration = Duration::from_millis(1_500);

/// The actor. What is sent goes into the line of the connection; what else asks the server is done in tasks, begun in
/// order of arrival.
pub(super) struct Adapter(Rc<Link>);

impl Adapter {
    pub(super) fn new(link: Rc<Link>) -> Self {
        Self(link)
    }

    /// The link, unless it is closed.
    fn open(&self) -> Result<Rc<Link>, Error> {
        if self.0.closed.get() { Err(Error::Closed("the broker")) } else { Ok(self.0.clone()) }
    }
}

impl Actor for Adapter {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        if let Ok(link) = self.open() {
            actix_rt::spawn(async move { link.close(Instant::now() + ABANDONED).await });
        }
    }
}

impl Handler<Send> for Adapter {
    type Result = ();

    fn handle(&mut self, send: Send, _: &mut Context<Self>) {
        send::send(&self.0, send);
    }
}

impl Handler<Declare> for Adapter {
    type Result = ();

    fn handle(&mut self, declare: Declare, _: &mut Context<Self>) {
        match self.open() {
            Ok(link) => drop(actix_rt::spawn(async move {
                let (to, what) = (To::itself(declare.queue.clone(), 0), format!("the queue `{}`", declare.queue));
                let declared = link.topology.declare(&to, declare.deadline);
                let declared = done_by(declare.deadline, &what, declared).await;
                declare.reply.send(declared.map_err(|error| error.during(&what)));
            })),
            Err(error) => declare.reply.send(Err(error)),
        }
    }
}

impl Handler<Consume> for Adapter {
    type Result = ();

    fn handle(&mut self, consume: Consume, _: &mut Context<Self>) {
        match self.open() {
            Ok(link) => drop(actix_rt::spawn(consume::consume(link, consume))),
            Err(error) => consume.reply.send(Err(error)),
        }
    }
}

impl Handler<Settle> for Adapter {
    type Result = ();

    fn handle(&mut self, message: Settle, _: &mut Context<Self>) {
        let Settle { consumer, batch, reply } = message;
        let Some(consumer) = self.0.consumers.borrow().get(&consumer).cloned() else {
            return reply.into_iter().for_each(|reply| reply.send(Err(SettleError::Closed(batch.len()))));
        };
        settle::settle(&self.0, &consumer, batch, reply);
    }
}

impl Handler<WasSeen> for Adapter {
    type Result = ();

    /// A consumer that asks for it is refused at its start.
    fn handle(&mut self, ask: WasSeen, _: &mut Context<Self>) {
        ask.reply.send(Err(Error::Unsupported { adapter: "amqp", what: "remember keys".to_owned() }));
    }
}

impl Handler<Cancel> for Adapter {
    type Result = ();

    fn handle(&mut self, cancel: Cancel, _: &mut Context<Self>) {
        let Some(consumer) = self.0.consumers.borrow().get(&cancel.id).cloned() else {
            return cancel.reply.send(());
        };
        consumer.cancel();
        actix_rt::spawn(async move {
            timeout(CANCELLED, consumer.leaving.intake_ended()).await.ok();
            cancel.reply.send(());
        });
    }
}

impl Handler<Inspect> for Adapter {
    type Result = ();

    fn handle(&mut self, inspect: Inspect, _: &mut Context<Self>) {
        match self.open() {
            Ok(link) => drop(actix_rt::spawn(inspect::inspect(link, inspect))),
            Err(error) => inspect.reply.send(Err(error)),
        }
    }
}

impl Handler<Dead> for Adapter {
    type Result = ();

    fn handle(&mut self, dead: Dead, _: &mut Context<Self>) {
        match self.open() {
            Ok(link) => drop(actix_rt::spawn(dead::dead(link, dead))),
            Err(error) => dead.reply.send(Err(error)),
        }
    }
}

impl Handler<DescribeBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBroker, _: &mut Context<Self>) {
        let capabilities = Capabilities {
            ordered: true,
            persistent: self.0.topology.is_persistent(),
            groups: true,
            delay: true,
            headers: true,
            outbox: true,
            exchanges: true,
            ..Capabilities::default()
        };
        let address = self.0.publishing.endpoint().to_string();
        let mut description = Description::new("amqp", address, capabilities);
        description.connection = self.0.context.state.borrow().clone();
        describe.0.send(description);
    }
}

impl Handler<CloseBroker> for Adapter {
    type Result = ();

    fn handle(&mut self, close: CloseBroker, _: &mut Context<Self>) {
        let link = self.0.clone();
        actix_rt::spawn(async move {
            link.close(close.deadline).await;
            close.reply.send(());
        });
    }
}
