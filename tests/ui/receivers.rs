#![allow(unused)]
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[receiver(signals = "user_*")]
    async fn typed(&self, _: signals::UserCreated) {}

    #[receiver(signals = signals::UserCreated)]
    async fn no_text(&self, _: AnySignal) {}

    #[receiver(signals = [])]
    async fn none(&self, _: AnySignal) {}

    #[receiver(signals = ["user_*", ""])]
    async fn empty(&self, _: AnySignal) {}

    #[receiver(filter)]
    async fn no_filter(&self, _: signals::UserCreated) {}

    #[consumer(filter = Self::is_long)]
    async fn of_a_queue(&self, _: queues::Mailer) {}

    #[periodic("1s", filter = Self::is_long)]
    async fn of_a_timer(&self) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
