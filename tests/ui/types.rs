#![allow(unused)]
use formicary::prelude::*;

struct Mail;

#[derive(Debug)]
struct Mistake;

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[receiver]
    async fn no_signal(&self, mail: Mail) {}

    #[receiver(Mail)]
    async fn no_signals(&self, mail: AnySignal) {}

    #[consumer(Mail)]
    async fn no_queue(&self, mail: String) {}

    #[consumer]
    async fn no_queue_either(&self, mail: Vec<u64>) {}

    #[periodic("1s")]
    async fn no_extractor(&self, cx: &Cx, mail: Option<Mail>) {}

    #[periodic("1s")]
    async fn no_answer(&self) -> Mail {
        Mail
    }

    #[periodic("1s")]
    async fn no_error(&self) -> Result<(), Mistake> {
        Ok(())
    }
}

#[derive(Default)]
struct Reader;

#[agent]
impl Reader {
    #[consumer(formicary::Value)]
    async fn no_message(&self, mail: Mistake) {}
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
    is_agent::<Reader>();
}
