//! An agent that calls all.

use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder, Call};
use formicary_actors::testing::Harness;

use super::common::*;

#[derive(Default)]
pub struct Collector(pub Vec<u64>);

impl Agent for Collector {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("collect", async |me: &mut Self, ping: Ping, asks: Call<Ask>| {
            let mut answers = asks.all(&Ask { n: ping.n }).await?;
            while let Some(answer) = answers.next().await {
                me.0.push(answer?);
            }
            Ok::<_, HandlerError>(())
        });
    }
}

pub async fn start() -> Harness<Collector> {
    tokio::time::pause();
    Harness::of(Collector::default).declarations(declarations()).start().await.unwrap()
}
