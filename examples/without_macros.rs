//! The agent of `first_agent`, declared without macros: its signal, its handlers, its declarations. Stop it with Ctrl-C.

use std::process::ExitCode;
use std::time::Duration;

use formicary::prelude::*;
use formicary::protocol::Field;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct UserCreated {
    user_id: u64,
}

impl Signal for UserCreated {
    const NAME: &'static str = "user_created";
    type Answer = Value;

    fn fields() -> Vec<Field> {
        vec![Field::of::<u64>("user_id")]
    }
}

#[derive(Default)]
struct Greeter {
    seen: u64,
}

impl Agent for Greeter {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.name("greeter");
        agent
            .receiver_mut("greet", async |me: &mut Self, user: UserCreated, from: SentBy| {
                me.seen += 1;
                println!("{from} created user {}: {} so far", user.user_id, me.seen);
            })
            .timeout(Duration::from_secs(10));
        agent.periodic("create", Duration::from_secs(1), async |me: &Self, created: Publish<UserCreated>| -> Result {
            created.send(&UserCreated { user_id: me.seen + 1 }).await?;
            Ok(())
        });
    }
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().init();
    match formicary::load("signals.json") {
        Ok(declarations) => formicary::run(Group::builder().declarations(declarations).agent(Greeter::default)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
