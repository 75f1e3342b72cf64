#![allow(unused)]
use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[consumer(retries(attempts = 5))]
    async fn no_option(&self, _: queues::Mailer) {}

    #[consumer(rety = 5)]
    async fn near(&self, _: queues::Mailer) {}

    #[consumer(retry(attempt = 5, times = 3))]
    async fn no_options(&self, _: queues::Mailer) {}

    #[consumer(retry = 0)]
    async fn never(&self, _: queues::Mailer) {}

    #[consumer(retry(attempts = 0))]
    async fn never_either(&self, _: queues::Mailer) {}

    #[consumer(retry)]
    async fn how_often(&self, _: queues::Mailer) {}

    #[consumer(retry(attempts = 5, attempts = 6), retry = 7)]
    async fn twice(&self, _: queues::Mailer) {}

    #[consumer(retry(backoff = "exponental"))]
    async fn no_backoff(&self, _: queues::Mailer) {}

    #[consumer(retry(backoff = "none", jitter = 1.5))]
    async fn far(&self, _: queues::Mailer) {}

    #[consumer(retry(backoff = "constant", first = "5s", most = "60s"))]
    async fn does_not_grow(&self, _: queues::Mailer) {}

    #[consumer(retry(first = "2m"))]
    async fn too_long(&self, _: queues::Mailer) {}

    #[consumer(retry(first = "5s", most = "1s"))]
    async fn too_short(&self, _: queues::Mailer) {}

    #[consumer(retry(first = 5, jitter = "much", on))]
    async fn no_values(&self, _: queues::Mailer) {}

    #[consumer(dead_letter = 3)]
    async fn no_truth(&self, _: queues::Mailer) {}

    #[consumer(dead_letter = "mailer:dead")]
    async fn no_place(&self, _: queues::Mailer) {}

    #[consumer(dedup)]
    async fn how_long(&self, _: queues::Mailer) {}

    #[consumer(dedup = "10m")]
    async fn no_brackets(&self, _: queues::Mailer) {}

    #[consumer(dedup(by = "email"))]
    async fn no_window(&self, _: queues::Mailer) {}

    #[consumer(dedup(window = "0s", key = "email"))]
    async fn no_time(&self, _: queues::Mailer) {}

    #[consumer(by = email)]
    async fn no_string(&self, _: queues::Mailer) {}

    #[consumer(by = "the email")]
    async fn no_field(&self, _: queues::Mailer) {}

    #[consumer(batch(size = 10))]
    async fn no_list(&self, _: queues::Mailer) {}

    #[consumer(batch = 10)]
    async fn no_items(&self, _: Vec<queues::Mailer>) {}

    #[consumer(batch(size = 0, wait = "soon", most = 5))]
    async fn no_size(&self, _: Vec<Item<queues::Mailer>>) {}

    #[consumer]
    async fn one_item(&self, _: Item<queues::Mailer>) {}

    #[consumer(by = "email")]
    async fn many_keys(&self, _: Vec<Item<queues::Mailer>>) {}

    #[consumer(blocking)]
    fn blocking_batch(_: Vec<Item<queues::Mailer>>) {}

    #[receiver]
    async fn batch_of_signals(&self, _: Vec<Item<signals::Started>>) {}

    #[receiver(batch(size = 10), by = "user_id")]
    async fn no_queue(&self, _: signals::UserCreated) {}

    #[periodic("1s", retry = 5)]
    async fn by_time(&self) {}

    #[server(retry = 5)]
    async fn for_ever(_: Handle<Self>) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
