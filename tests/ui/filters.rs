#![allow(unused)]
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk {
    limit: u64,
}

#[agent]
impl Clerk {
    #[receiver(filter = Self::of_another)]
    async fn another(&self, _: signals::UserCreated) {}

    #[receiver(filter = Self::by_value)]
    async fn value(&self, _: signals::UserCreated) {}

    #[receiver(filter = Self::with_self)]
    async fn method(&self, _: signals::UserCreated) {}

    #[receiver(filter = Self::says_nothing)]
    async fn nothing(&self, _: signals::UserCreated) {}

    #[receiver(filter = is_missing)]
    async fn missing(&self, _: signals::UserCreated) {}

    #[receiver(signals = "user_*", filter = Self::of_another)]
    async fn any(&self, _: AnySignal) {}

    #[receiver(blocking, filter = Self::of_another)]
    fn blocking(_: signals::UserCreated) {}

    fn of_another(_: &signals::Started) -> bool {
        true
    }

    fn by_value(_: signals::UserCreated) -> bool {
        true
    }

    fn with_self(&self, user: &signals::UserCreated) -> bool {
        user.user_id < self.limit
    }

    fn says_nothing(_: &signals::UserCreated) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
