#![allow(unused)]
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[receiver(blocking)]
    async fn not_plain(_: signals::Started) {}

    #[receiver(blocking)]
    fn with_agent(&self, _: signals::Started) {}

    #[periodic("1m", blocking)]
    fn with_agent_mut(&mut self) {}

    #[consumer(blocking)]
    fn no_message() {}

    #[receiver(signals::Started, signals::UserCreated, blocking)]
    fn several(_: signals::Started) {}

    #[cron("@hourly", blocking)]
    fn borrowing(_: Option<&Cx>) {}

    #[on(pre_start, blocking)]
    fn hook() {}

    #[server(blocking)]
    fn server(_: Handle<Self>) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
