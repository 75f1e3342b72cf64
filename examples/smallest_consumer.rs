//! The smallest program that consumes a queue: one agent with one consumer on a Redis. `docs/benchmarks.md` says how large
//! it is. Stop it with Ctrl-C.
//!
//! Usage: `smallest_consumer [URL]`, by default `redis://127.0.0.1`.

use std::process::ExitCode;

use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Post;

#[agent]
impl Post {
    #[consumer(queues::Mailer)]
    async fn deliver(&self, mail: queues::Mailer) {
        println!("{}: {}", mail.email, mail.text);
    }
}

fn main() -> ExitCode {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1".to_owned());
    match url.parse() {
        Ok(broker) => formicary::run(Group::builder().declarations(declarations()).broker(broker).agent(Post::default)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
