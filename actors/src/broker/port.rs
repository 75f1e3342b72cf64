use crate::contract::{
    Cancel, CloseBroker, Consume, Dead, Declare, DescribeBroker, Inspect, Send, Settle, WasSeen, port,
};

port! {
    /// The way to a broker adapter, whatever its type. It keeps the order of the messages, and a message costs no allocation
    /// on the way.
    pub BrokerPort,
    /// Starts an adapter on the current arbiter: an actor that handles the ten messages of a broker is one. It ends with
    /// the last handle of the broker.
    BrokerMessage { Send, Declare, Consume, Settle, WasSeen, Cancel, Inspect, Dead, DescribeBroker, CloseBroker }
}
