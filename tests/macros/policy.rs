//! What the words of a consumer's policy do.

use std::time::Duration;

use formicary::contract::Letters;
use formicary::prelude::*;
use formicary::protocol::DeadReason;
use formicary::{EventKind, HandlerError};
use formicary_test_support::wait::until;

use crate::Diary;

formicary::declare!("examples/policy/queues.json");

fn is_transient(error: &HandlerError) -> bool {
    error.to_string() != "for good"
}

struct Shop {
    diary: Diary,
}

#[agent]
impl Shop {
    #[consumer(
        queues::Orders,
        by = "user_id",
        dedup(window = "10m", by = "order_id"),
        retry(attempts = 2, backoff = "constant", first = "1ms", jitter = 1, on = is_transient),
        on_exhausted = give_up,
        timeout = "10s"
    )]
    async fn charge(&self, order: queues::Orders, tries: RetryContext, receipts: Outbox<queues::Receipts>) -> Result {
        let (id, attempt) = (order.order_id, tries.attempt());
        self.diary.note(format!("{id} begins {attempt}"));
        // Long enough for others to begin, if they may.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        self.diary.note(format!("{id} ends {attempt}"));
        receipts.send(&queues::Receipts { order_id: id })?;
        match id {
            2 if attempt == 1 => Err("not yet".into()),
            3 => Err("never".into()),
            4 => Err("for good".into()),
            _ => Ok(()),
        }
    }

    async fn give_up(&mut self, order: queues::Orders, why: Exhausted) {
        self.diary.note(format!("{} given up after {}: {}", order.order_id, why.attempts(), why.error()));
    }

    #[consumer(retry = 1, dead_letter = false)]
    async fn print(&self, receipt: queues::Receipts) -> Result {
        self.diary.note(format!("receipt {}", receipt.order_id));
        Err("no paper".into())
    }
}

#[actix::test]
async fn a_policy_does_what_its_words_say() {
    let diary = Diary::default();
    let noted = diary.clone();
    let factory = move || Shop { diary: noted.clone() };
    let group = Group::builder().declarations(declarations()).agent(factory).start().await.unwrap();
    let broker = group.broker();
    for order_id in [1, 1, 2, 3, 4, 5] {
        broker.send::<queues::Orders>(&queues::Orders { order_id, user_id: 7 }).await.unwrap();
    }
    until(Duration::from_secs(10), "all orders", async || {
        let (orders, receipts) = (broker.inspect("orders").await.unwrap(), broker.inspect("receipts").await.unwrap());
        orders.left() + receipts.left() == 0
    })
    .await;

    let lines = diary.0.lock().unwrap().clone();
    let of = |start: &str| lines.iter().filter(|line| line.starts_with(start)).cloned().collect::<Vec<_>>();
    assert_eq!(of("1 begins"), ["1 begins 1"], "dedup");
    assert_eq!(of("2 begins"), ["2 begins 1", "2 begins 2"], "retry");
    assert_eq!(
        of("3 "),
        ["3 begins 1", "3 ends 1", "3 begins 2", "3 ends 2", "3 given up after 2: never"],
        "on_exhausted"
    );
    assert_eq!(of("4 "), ["4 begins 1", "4 ends 1", "4 given up after 1: for good"], "on");
    let mut receipts = of("receipt");
    receipts.sort();
    assert_eq!(receipts, ["receipt 1", "receipt 2", "receipt 5"], "outbox");
    let turns: Vec<_> = lines.iter().filter(|line| line.contains("begins") || line.contains("ends")).collect();
    for pair in turns.chunks(2) {
        assert_eq!(pair[0].replace("begins", "ends"), *pair[1], "by: one order of a user at a time: {turns:?}");
    }

    let reasons = |letters: Vec<formicary::protocol::DeadLetter>| letters.into_iter().map(|letter| letter.reason);
    let dead: Vec<_> = reasons(broker.peek("orders", Letters::all()).await.unwrap()).collect();
    assert!(
        dead.len() == 2 && dead.contains(&DeadReason::Exhausted) && dead.contains(&DeadReason::Refused),
        "{dead:?}"
    );
    assert_eq!(broker.inspect("receipts").await.unwrap().dead, 0, "dead_letter");
    assert_eq!(group.events().count(EventKind::Discarded), 3);
    assert_eq!(group.events().count(EventKind::Deduplicated), 1);
    assert_eq!(group.stop().await.code(), 0);
}

#[actix::test]
async fn a_consumer_with_a_policy_is_a_plain_method() {
    let mut shop = Shop { diary: Diary::default() };
    let (receipts, sent) = Outbox::<queues::Receipts>::recording();
    let order = queues::Orders { order_id: 3, user_id: 7 };
    let tries = RetryContext::new(2, 2.try_into().unwrap());
    assert_eq!(shop.charge(order.clone(), tries, receipts).await.unwrap_err().to_string(), "never");
    assert_eq!(sent.sent()[0].order_id, 3);
    shop.give_up(order, Exhausted::new("never", 2)).await;
    assert!(shop.diary.has("3 given up after 2: never"));
}
