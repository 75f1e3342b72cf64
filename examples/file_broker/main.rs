//! A broker whose queues are folders of files: how an adapter is written, told in `docs/adapters.md`.
//!
//! What it cannot: a process that is killed leaves what it has in its folder under `taken/`, and nobody takes it over. Others look for
//! new messages every 10 ms instead of being told. What was sent outlives the processes, but perhaps not the machine.
//!
//! ```console
//! cargo run --example file_broker
//! ```

mod adapter;
mod store;

use std::time::Duration;

use formicary::prelude::*;
use formicary::{Background, EventKind};

formicary::declare!("signals.json");

struct Email;

#[agent]
impl Email {
    #[consumer(retry(attempts = 2, backoff = "constant", first = "100ms"))]
    async fn deliver(&self, mail: queues::Mailer, delivery: Delivery) -> Result {
        println!("attempt {}: {} to {}", delivery.attempt(), mail.text, mail.email);
        if mail.email.contains('@') { Ok(()) } else { Err("no address".into()) }
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let broker = adapter::file_broker(folder.path());
    let group = Background::start(Group::builder().declarations(declarations()).broker(broker).agent(|| Email))?;
    for email in ["ada@example.org", "nobody"] {
        let mail = queues::Mailer { text: "Welcome!".into(), email: email.into() };
        formicary::block_on(group.broker().send::<queues::Mailer>(&mail))?;
    }
    while group.events().count(EventKind::DeadLettered) == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("{:?}", formicary::block_on(group.broker().inspect("mailer"))?);
    group.stop();
    Ok(())
}
