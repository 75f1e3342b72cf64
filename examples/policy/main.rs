//! A consumer with its policy, and its dead letters: on a broker in memory, over in a second.

mod shop;

use std::time::Duration;

use formicary::contract::{Counts, Letters};
use formicary::prelude::*;
use formicary::protocol::DeadReason;
use formicary::{Broker, Error, EventKind};
use shop::{Bank, Shop};

formicary::declare!("examples/policy/queues.json");

#[actix::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let bank = Bank::default();
    let shop = {
        let bank = bank.clone();
        move || Shop { bank: bank.clone() }
    };
    let group = Group::builder().declarations(declarations()).agent(shop).start().await?;
    let broker = group.broker();

    for order_id in [1, 2, 3, 4] {
        broker.send::<queues::Orders>(&queues::Orders { order_id, user_id: 7 }).await?;
    }
    settled(broker).await?;
    broker.send::<queues::Orders>(&queues::Orders { order_id: 1, user_id: 7 }).await?;
    broker.dynamic("orders", &"an order of a kind that nobody knows".into()).await?;
    let counts = settled(broker).await?;
    println!("-- order 1 came twice, and was handled once: {} left out", group.events().count(EventKind::Deduplicated));

    println!("-- {} dead letters: {:?}", counts.dead, counts.dead_by);
    for letter in broker.peek("orders", Letters::all()).await? {
        let last = letter.entry.history.last();
        println!("{}, attempt {}: {}", letter.reason, letter.entry.attempt, last.map_or("", |last| &last.error));
    }

    bank.becomes_rich();
    let replayed = broker.replay("orders", Letters::of(DeadReason::Exhausted)).await?;
    println!("-- replayed {replayed}");
    settled(broker).await?;
    println!("-- purged {}", broker.purge("orders", Letters::all()).await?);

    group.stop().await;
    Ok(())
}

/// Waits until nothing is left to be handled, and says what became of the orders.
async fn settled(broker: &Broker) -> std::result::Result<Counts, Error> {
    loop {
        let orders = broker.inspect("orders").await?;
        if orders.left() + broker.inspect("receipts").await?.left() == 0 {
            return Ok(orders);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
