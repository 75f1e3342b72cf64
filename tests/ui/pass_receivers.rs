//! Every way to say what a receiver hears and which of it is handled.
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[receiver(signals = "user_*")]
    async fn pattern(&self, _: AnySignal) {}

    #[receiver(signals::Started, signals = ["user_*", "comment_created"])]
    async fn types_and_texts(&mut self, _: formicary::AnySignal, _: SentBy) {}

    #[receiver(signals::Started)]
    async fn one(&self, any: AnySignal) -> Result<bool> {
        any.decode::<signals::Started>()?;
        Ok(any.is::<signals::Started>())
    }

    #[receiver(signals = "*", blocking, filter = is_started)]
    fn blocking(_: AnySignal) {}

    #[receiver(filter = Self::is_early, concurrency = 2)]
    async fn method(&self, _: signals::UserCreated) {}

    #[receiver(blocking, filter = Clerk::is_early)]
    fn blocking_method(_: signals::UserCreated) {}

    #[receiver(filter = |user| user.user_id > 7)]
    async fn closure(&self, _: signals::UserCreated) {}

    fn is_early(user: &signals::UserCreated) -> bool {
        user.user_id < 100
    }
}

fn is_started(any: &AnySignal) -> bool {
    any.is::<signals::Started>()
}

fn main() {
    let _ = Group::builder().agent(Clerk::default);
}
