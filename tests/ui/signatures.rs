#![allow(unused)]
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[receiver]
    fn not_async(&self, _: signals::Started) {}

    #[server]
    fn not_async_either(_: Handle<Self>) {}

    #[receiver]
    async fn generic<T>(&self, _: signals::Started) {}

    #[receiver]
    async fn no_payload(&self) {}

    #[consumer]
    async fn no_message(&self) {}

    #[receiver]
    async fn borrowed_payload(&self, _: &signals::Started) {}

    #[receiver]
    async fn no_self(_: signals::Started) {}

    #[receiver]
    async fn owned_self(self, _: signals::Started) {}

    #[receiver(signals::Started, signals::UserCreated)]
    async fn several(&self, _: signals::Started) {}

    #[receiver]
    async fn which(&self, _: AnySignal) {}

    #[periodic("1s")]
    async fn mutable_extractor(&self, _: &mut Cx) {}

    #[periodic("1s")]
    async fn borrowing_extractor(&self, _: Option<&Cx>) {}

    #[periodic("1s")]
    async fn text(&self, _: &str) {}

    #[periodic("1s")]
    async fn hidden(&self) -> impl Sized {}

    #[server]
    async fn server_with_turn(&self) {}

    #[server]
    async fn server_without_handle() {}

    #[on(post_start)]
    async fn hook_without_handle(_: &Cx) {}

    #[periodic("1s")]
    async unsafe fn dangerous(&self) {}
}

struct Borrower<'a>(&'a str);

#[agent]
impl<'a> Borrower<'a> {
    #[receiver]
    async fn borrowed(&self, _: signals::Started) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
