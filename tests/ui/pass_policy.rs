//! Every word of a consumer's policy, fields within fields, batches, and an agent out of a macro.
#![deny(warnings, missing_docs)]

use formicary::HandlerError;
use formicary::prelude::*;
use serde::{Deserialize, Serialize};

/// Whose order it is.
#[derive(Serialize, Deserialize)]
pub struct User {
    /// Its number.
    pub id: u64,
}

/// A message.
#[derive(Serialize, Deserialize, Queue)]
pub struct Order {
    user: User,
    r#type: String,
}

/// A part of a message.
#[derive(Deserialize)]
pub struct Kind {
    r#type: String,
}

fn is_transient(error: &HandlerError) -> bool {
    error.kind() == "timeout"
}

/// Sells.
#[derive(Default)]
pub struct Shop;

#[agent]
impl Shop {
    #[consumer(
        Order,
        by = "user.id",
        dedup(window = "10m", by = "type"),
        dead_letter = true,
        on_exhausted = give_up,
        retry(attempts = 3, backoff = "linear", first = "2s", most = "1m", jitter = 0, on = Self::may_help),
    )]
    async fn sell(&self, order: Order, _tries: RetryContext) {
        drop(order);
    }

    async fn give_up(&mut self, kind: Kind, why: Exhausted) -> Result {
        Err(format!("{} after {}", kind.r#type, why.attempts()).into())
    }

    fn may_help(_: &HandlerError) -> bool {
        true
    }
}

/// Computes.
#[derive(Default)]
pub struct Press;

#[agent]
impl Press {
    #[consumer(Order, blocking, by = "type", retry = 3, on_exhausted = give_up, dedup(window = "1s"))]
    fn print(_: Kind) {}

    #[cfg(all())]
    async fn give_up(&self, _: Kind) {}
}

/// Takes many at once.
#[derive(Default)]
pub struct Post;

#[agent]
impl Post {
    #[consumer(Order, batch(size = 8), retry(on = is_transient), dedup(window = "1m", by = "type"), on_exhausted = give_up)]
    async fn deliver(&mut self, kinds: Vec<Item<Kind>>, cx: &Cx) -> Result {
        for kind in kinds {
            match kind.r#type.as_str() {
                "good" => kind.ack(),
                _ => kind.fail(format!("{} takes no such kind", cx.agent())),
            }
        }
        Ok(())
    }

    async fn give_up(&self, _: Kind, _: &Exhausted) {}
}

macro_rules! agent_of {
    ($name:ident, $payload:ty, $field:literal, $judge:path) => {
        /// Made by a macro.
        #[derive(Default)]
        pub struct $name;

        #[agent]
        impl $name {
            #[consumer(Order, by = $field, retry(on = $judge))]
            async fn take(&self, _: $payload) {}

            #[consumer(batch(wait = "1s"), on_exhausted = give_up)]
            async fn take_all(&self, _: Vec<Item<Rest>>) {}

            async fn give_up(&self, _: Rest) {}
        }
    };
}

/// Another message.
#[derive(Serialize, Deserialize, Queue)]
pub struct Rest {
    left: u8,
}

agent_of!(Made, Order, "type", is_transient);

fn main() {
    let agents = Group::builder().agent(Shop::default).agent(Press::default).agent(Post::default).agent(Made::default);
    let (order, rest) = (Order { user: User { id: 1 }, r#type: String::new() }, Rest { left: 1 });
    assert_eq!(order.user.id, u64::from(rest.left));
    drop((agents, order));
}
