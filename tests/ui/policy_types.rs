#![allow(unused)]
use formicary::prelude::*;
use formicary::HandlerError;

formicary::declare!("signals.json");

/// Not a key: no one can write it.
#[derive(serde::Deserialize)]
struct Address;

#[derive(serde::Deserialize)]
struct Mail {
    email: Address,
}

fn of_a_number(code: u8) -> bool {
    code > 4
}

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[consumer(by = "user_id")]
    async fn no_field(&self, _: queues::Mailer) {}

    #[consumer(dedup(window = "10m", by = "txt"))]
    async fn near(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, by = "length")]
    async fn no_struct(&self, _: u64) {}

    #[consumer(queues::Mailer, by = "email")]
    async fn no_key(&self, _: Mail) {}

    #[consumer(queues::Mailer, by = "email", blocking)]
    fn no_key_either(_: Mail) {}

    #[consumer(retry(on = of_a_number))]
    async fn no_error(&self, _: queues::Mailer) {}

    #[consumer(retry(on = Self::answers_nothing))]
    async fn no_answer(&self, _: queues::Mailer) {}

    #[consumer(retry(on = is_transient))]
    async fn no_function(&self, _: queues::Mailer) {}

    fn answers_nothing(_: &HandlerError) {}
}

#[derive(Default)]
struct Reader;

struct Plain;

#[agent]
impl Reader {
    #[consumer(queues::Mailer)]
    async fn no_messages(&self, _: Vec<Item<Plain>>) {}

    #[consumer(queues::Mailer, on_exhausted = give_up)]
    async fn deliver(&self, _: queues::Mailer) {}

    async fn give_up(&self, _: Mail, _: Plain) -> Address {
        Address
    }
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
    is_agent::<Reader>();
}
