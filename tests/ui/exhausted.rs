#![allow(unused)]
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[consumer(queues::Mailer, on_exhausted = no_method)]
    async fn one(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = giveup)]
    async fn two(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = marked)]
    async fn three(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = "give_up")]
    async fn four(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = Clerk::give_up)]
    async fn five(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = plain)]
    async fn six(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = nobody)]
    async fn seven(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = nothing)]
    async fn eight(&self, _: queues::Mailer) {}

    #[consumer(queues::Mailer, on_exhausted = many)]
    async fn nine(&self, _: Vec<Item<queues::Mailer>>) {}

    #[periodic("1s", on_exhausted = give_up)]
    async fn marked(&self) {}

    async fn give_up(&self, mail: queues::Mailer, why: Exhausted) {}

    fn plain(&self, mail: queues::Mailer) {}

    async fn nobody(mail: queues::Mailer) {}

    async fn nothing(&self) {}

    async fn many(&self, mails: Vec<Item<queues::Mailer>>) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
