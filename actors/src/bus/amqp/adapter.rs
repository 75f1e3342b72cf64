use std::rc::Rc;

use actix::{Actor, Context, Handler};

use super::shared::Shared;
use super::{outgoing, subscribe};
use crate::contract::{Call, Capabilities, CloseBus, DescribeBus, Description, Publish, Subscribe, Unsubscribe};
use crate::error::Error;

/// The actor. What is published goes into the line; all else into a task of its own, so that nothing waits for a round trip
/// of another.
pub(super) struct Adapter(Rc<Shared>);

impl Adapter {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        Self(shared)
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.0.line.leave();
    }
}

impl Actor for Adapter {
    type Context = Context<Self>;
}

impl Handler<Publish> for Adapter {
    type Result = ();

    fn handle(&mut self, publish: Publish, _: &mut Context<Self>) {
        outgoing::publish(&self.0, publish);
    }
}

impl Handler<Call> for Adapter {
    type Result = ();

    fn handle(&mut self, call: Call, _: &mut Context<Self>) {
        outgoing::call(&self.0, call);
    }
}

impl Handler<Subscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, _: &mut Context<Self>) {
        if self.0.closed.get() {
            return subscribe.reply.send(Err(Error::Closed("the bus")));
        }
        actix_rt::spawn(subscribe::subscribe(self.0.clone(), subscribe));
    }
}

impl Handler<Unsubscribe> for Adapter {
    type Result = ();

    fn handle(&mut self, unsubscribe: Unsubscribe, _: &mut Context<Self>) {
        if let Some(signal) = self.0.subscriptions.remove(unsubscribe.id)
            && !self.0.closed.get()
        {
            actix_rt::spawn(subscribe::unbind(self.0.clone(), signal));
        }
        unsubscribe.reply.send(());
    }
}

impl Handler<DescribeBus> for Adapter {
    type Result = ();

    fn handle(&mut self, describe: DescribeBus, _: &mut Context<Self>) {
        // The server does not say how many receive a publish; it does say when nobody does.
        let capabilities = Capabilities { ordered: true, receiver_counts: false, ..Capabilities::default() };
        let address = self.0.connection.endpoint().to_string();
        let mut description = Description::new("amqp", address, capabilities);
        description.connection = self.0.context.state.borrow().clone();
        describe.0.send(description);
    }
}

impl Handler<CloseBus> for Adapter {
    type Result = ();

    fn handle(&mut self, close: CloseBus, _: &mut Context<Self>) {
        let shared = self.0.clone();
        actix_rt::spawn(async move {
            shared.close(close.deadline).await;
            close.reply.send(());
        });
    }
}
