//! The adapter contract: the messages that a bus or broker adapter handles.
//!
//! An adapter is an actix actor. Whoever writes an actor that handles [`Publish`], [`Call`], [`Subscribe`],
//! [`Unsubscribe`], [`DescribeBus`] and [`CloseBus`] has written a bus; [`Send`], [`Declare`], [`Consume`], [`Settle`],
//! [`WasSeen`], [`Cancel`], [`Inspect`], [`Dead`], [`DescribeBroker`] and [`CloseBroker`] make a broker. No message has an
//! actix result: each carries a [`Reply`], so that it is carried out even when the arbiter of its sender ends right after sending it.

mod broker;
mod bus;
mod counts;
mod description;
mod inlet;
mod letters;
mod outcome;
mod outlet;
mod permit;
mod port;
mod reply;
mod settlements;

pub use broker::{
    Cancel, CloseBroker, Concerned, Consume, ConsumerId, Dead, DeadRequest, Declare, DedupBy, DescribeBroker, Inspect,
    Outgoing, Seen, Send, SendOptions, Settle, Settlement, WasSeen,
};
pub use bus::{
    Address, Answers, Call, CallMode, CloseBus, DescribeBus, Publish, Subscribe, SubscriptionId, Unsubscribe,
};
pub use counts::{Counts, DeadCounts};
pub use description::{Capabilities, ConnectionState, Description};
pub use inlet::{Arriving, Delivered, DeliveryInlet, SignalInlet, Token};
pub use letters::Letters;
pub use outcome::{Outcome, SettleError};
pub(crate) use outlet::{Feed, Outlet, outlet};
pub use permit::Permit;
pub(crate) use permit::Permits;
pub(crate) use port::port;
pub(crate) use reply::Replies;
pub use reply::{Pending, Reply};
pub use settlements::Settlements;
