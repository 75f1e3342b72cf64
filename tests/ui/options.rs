#![allow(unused)]
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk;

#[agent(title = "clerk")]
impl Clerk {
    #[receiver(time = "10s")]
    async fn unknown(&self, _: signals::Started) {}

    #[receiver(timeot = "10s")]
    async fn near(&self, _: signals::Started) {}

    #[receiver(timeout = "10s", timeout = "11s")]
    async fn twice(&self, _: signals::Started) {}

    #[receiver(timeout = 10)]
    async fn no_duration(&self, _: signals::Started) {}

    #[receiver(timeout = "10 parsecs")]
    async fn no_unit(&self, _: signals::Started) {}

    #[receiver(timeout = "0s", concurrency = 0)]
    async fn nothing(&self, _: signals::Started) {}

    #[receiver(inbox = "many")]
    async fn no_number(&self, _: signals::Started) {}

    #[receiver(retry(attempts = 5))]
    async fn retried(&self, _: signals::Started) {}

    #[consumer(queues::Mailer, queues::Mailer)]
    async fn two_queues(&self, _: queues::Mailer) {}

    #[receiver(rate = 0)]
    async fn never_begun(&self, _: signals::Started) {}

    #[consumer(rate = "10/s")]
    async fn no_rate(&self, _: queues::Mailer) {}

    #[periodic("1s", rate = 10)]
    async fn no_need(&self) {}

    #[receiver(layer)]
    async fn no_layer(&self, _: signals::Started) {}

    #[receiver(blocking = true)]
    fn not_alone(_: signals::Started) {}

    #[periodic]
    async fn no_interval(&self) {}

    #[periodic(15)]
    async fn bare_interval(&self) {}

    #[periodic("0s", overlap = "never")]
    async fn no_time(&self) {}

    #[periodic("10us")]
    async fn too_often(&self) {}

    #[cron("0 0 30 2 *")]
    async fn never(&self) {}

    #[cron("0 0 * * *", timezone = "Europe/Berlim")]
    async fn nowhere(&self) {}

    #[on(start)]
    async fn no_moment(&self) {}

    #[on]
    async fn no_word(&self) {}

    #[server(timeout = "1s")]
    async fn timed(_: Handle<Self>) {}

    #[receiver]
    #[periodic("1s")]
    async fn two_kinds(&self, _: signals::Started) {}

    #[receiver = "10s"]
    async fn no_brackets(&self, _: signals::Started) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
