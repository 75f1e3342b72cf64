#![allow(unused)]
use std::rc::Rc;

// Each `Rc` holds another type: the compiler reports one error for each type that is not `Send`.
use formicary::prelude::*;

formicary::declare!("signals.json");

struct Mail;

#[derive(Signal, serde::Serialize, serde::Deserialize)]
struct Local {
    #[serde(skip)]
    shared: Rc<u8>,
}

#[derive(serde::Deserialize)]
struct Held {
    #[serde(skip)]
    shared: Rc<u16>,
}

#[derive(serde::Serialize)]
struct Shared {
    #[serde(skip)]
    shared: Rc<u32>,
}

#[derive(Default)]
struct Clerk;

#[agent]
impl Clerk {
    #[receiver(blocking)]
    fn no_signal(_: Mail) {}

    #[receiver(blocking)]
    fn local(_: Local) {}

    #[consumer(queues::Mailer, blocking)]
    fn held(_: Held) {}

    #[periodic("1m", blocking)]
    fn tasks(cx: &Cx, _: Tasks) {}

    #[receiver(blocking)]
    fn answer(_: signals::Started) -> Result<Shared> {
        Ok(Shared { shared: Rc::new(1) })
    }

    #[consumer(queues::Mailer, blocking)]
    fn no_answer(_: queues::Mailer) -> Mail {
        Mail
    }
}

fn is_agent<A: Agent>() {}

fn main() {
    is_agent::<Clerk>();
}
