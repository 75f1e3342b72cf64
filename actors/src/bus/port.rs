use crate::contract::{Call, CloseBus, DescribeBus, Publish, Subscribe, Unsubscribe, port};

port! {
    /// The way to a bus adapter, whatever its type. It keeps the order of the messages, and a message costs no allocation on
    /// the way.
    pub BusPort,
    /// Starts an adapter on the current arbiter: an actor that handles the six messages of a bus is one. It ends with the
    /// last handle of the bus.
    BusMessage { Publish, Call, Subscribe, Unsubscribe, DescribeBus, CloseBus }
}
