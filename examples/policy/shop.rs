//! The agent that charges orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use formicary::HandlerError;
use formicary::prelude::*;

use crate::queues;

/// The trouble with charging.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    Busy,
    NoMoney,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Busy => "the bank is busy",
            Self::NoMoney => "there is no money",
        })
    }
}

impl std::error::Error for Trouble {}

/// Whether another attempt may help.
fn is_transient(error: &HandlerError) -> bool {
    error.source().downcast_ref() != Some(&Trouble::NoMoney)
}

/// A bank that charges order 1 at once and order 2 at the second attempt; order 3 as soon as it is rich, and 4 never.
#[derive(Clone, Default)]
pub struct Bank {
    rich: Arc<AtomicBool>,
}

impl Bank {
    pub fn becomes_rich(&self) {
        self.rich.store(true, Ordering::Relaxed);
    }

    fn charge(&self, order: u64, attempt: u32) -> std::result::Result<(), Trouble> {
        match order {
            1 => Ok(()),
            2 if attempt > 1 => Ok(()),
            3 if self.rich.load(Ordering::Relaxed) => Ok(()),
            4 => Err(Trouble::NoMoney),
            _ => Err(Trouble::Busy),
        }
    }
}

pub struct Shop {
    pub bank: Bank,
}

#[agent]
impl Shop {
    #[consumer(
        queues::Orders,
        concurrency = 8,
        timeout = "5s",
        by = "user_id",
        dedup(window = "10m", by = "order_id"),
        retry(attempts = 3, backoff = "exponential", first = "50ms", most = "1s", on = is_transient),
        on_exhausted = give_up
    )]
    async fn charge(
        &self,
        order: queues::Orders,
        tries: RetryContext,
        receipts: Outbox<queues::Receipts>,
        cx: &Cx,
    ) -> Result {
        let id = order.order_id;
        println!("order {id}: attempt {} of {}", tries.attempt(), tries.attempts());
        // Sent with the acknowledgement, or not at all: it does not matter that the charge may still fail.
        receipts.send(&queues::Receipts { order_id: id })?;
        self.bank.charge(id, tries.attempt())?;
        cx.after_ack(async move { println!("order {id}: done, and it will not come again") })?;
        Ok(())
    }

    async fn give_up(&self, order: queues::Orders, why: Exhausted) {
        println!("order {}: given up after attempt {}: {}", order.order_id, why.attempts(), why.error());
    }

    #[consumer(batch(size = 10, wait = "50ms"))]
    async fn print(&self, receipts: Vec<Item<queues::Receipts>>) {
        let orders: Vec<_> = receipts.iter().map(|receipt| receipt.order_id).collect();
        println!("receipts of one batch: {orders:?}");
    }
}
