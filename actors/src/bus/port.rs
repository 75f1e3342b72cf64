use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Recipient};

use crate::contract::{Call, CloseBus, DescribeBus, Publish, Subscribe, Unsubscribe};

/// The mailboxes of a bus adapter, whatever its type.
#[derive(Debug, Clone)]
pub struct BusPort {
    pub(crate) publish: Recipient<Publish>,
    pub(crate) call: Recipient<Call>,
    pub(crate) subscribe: Recipient<Subscribe>,
    pub(crate) unsubscribe: Recipient<Unsubscribe>,
    pub(crate) describe: Recipient<DescribeBus>,
    pub(crate) close: Recipient<CloseBus>,
}

impl BusPort {
    /// The port of an adapter. An actor that handles the six messages of a bus is one.
    pub fn of<A>(adapter: Addr<A>) -> Self
    where
        A: Actor
            + Handler<Publish>
            + Handler<Call>
            + Handler<Subscribe>
            + Handler<Unsubscribe>
            + Handler<DescribeBus>
            + Handler<CloseBus>,
        A::Context: ToEnvelope<A, Publish>
            + ToEnvelope<A, Call>
            + ToEnvelope<A, Subscribe>
            + ToEnvelope<A, Unsubscribe>
            + ToEnvelope<A, DescribeBus>
            + ToEnvelope<A, CloseBus>,
    {
        Self {
            publish: adapter.clone().recipient(),
            call: adapter.clone().recipient(),
            subscribe: adapter.clone().recipient(),
            unsubscribe: adapter.clone().recipient(),
            describe: adapter.clone().recipient(),
            close: adapter.recipient(),
        }
    }
}
