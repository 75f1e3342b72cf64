use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Recipient};

use crate::contract::{Cancel, CloseBroker, Consume, Dead, DescribeBroker, Inspect, Send, Settle};

/// The mailboxes of a broker adapter, whatever its type.
#[derive(Debug, Clone)]
pub struct BrokerPort {
    pub(crate) send: Recipient<Send>,
    pub(crate) consume: Recipient<Consume>,
    pub(crate) settle: Recipient<Settle>,
    pub(crate) cancel: Recipient<Cancel>,
    pub(crate) inspect: Recipient<Inspect>,
    pub(crate) dead: Recipient<Dead>,
    pub(crate) describe: Recipient<DescribeBroker>,
    pub(crate) close: Recipient<CloseBroker>,
}

impl BrokerPort {
    /// The port of an adapter. An actor that handles the eight messages of a broker is one.
    pub fn of<A>(adapter: Addr<A>) -> Self
    where
        A: Actor
            + Handler<Send>
            + Handler<Consume>
            + Handler<Settle>
            + Handler<Cancel>
            + Handler<Inspect>
            + Handler<Dead>
            + Handler<DescribeBroker>
            + Handler<CloseBroker>,
        A::Context: ToEnvelope<A, Send>
            + ToEnvelope<A, Consume>
            + ToEnvelope<A, Settle>
            + ToEnvelope<A, Cancel>
            + ToEnvelope<A, Inspect>
            + ToEnvelope<A, Dead>
            + ToEnvelope<A, DescribeBroker>
            + ToEnvelope<A, CloseBroker>,
    {
        Self {
            send: adapter.clone().recipient(),
            consume: adapter.clone().recipient(),
            settle: adapter.clone().recipient(),
            cancel: adapter.clone().recipient(),
            inspect: adapter.clone().recipient(),
            dead: adapter.clone().recipient(),
            describe: adapter.clone().recipient(),
            close: adapter.recipient(),
        }
    }
}
