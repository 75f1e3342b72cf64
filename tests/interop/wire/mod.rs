//! What our bus asks a Redis for, held against the captured vectors. What is published, called, answered and pushed is held against them
//! by the conformance suite.

mod monitor;

use formicary::prelude::*;
use formicary_test_support::wire::Vector;

use self::monitor::Monitor;
use crate::signals;
use crate::stage::Stage;

/// The responder of the vectors.
struct One;

#[agent]
impl One {
    #[receiver]
    async fn on_one(&self, _: signals::RpcOne) {}

    #[receiver]
    async fn on_two(&self, _: signals::RpcTwo) {}
}

#[actix::test]
async fn patterns_are_python_s() {
    let Some(stage) = Stage::without_python("patterns_are_python_s").await else { return };
    let mut monitor = Monitor::start(&stage.server).await;
    let group = stage.group().agent(|| One).start().await.unwrap();
    let subscribe = Vector::named("subscribe");
    let commands = subscribe.value()["commands"].as_array().unwrap();
    let mut wanted: Vec<_> = commands.iter().map(|command| command[1].as_str().unwrap()).collect();
    while !wanted.is_empty() {
        let command = monitor.next("PSUBSCRIBE").await;
        // One more than Python's: where our agents say why they failed.
        let mut others = command[1..].iter().filter(|pattern| !wanted.contains(&pattern.as_str()));
        assert!(others.all(|pattern| pattern == "PUBSUB:response_error:*"), "{command:?}");
        wanted.retain(|pattern| !command.iter().any(|one| one == pattern));
    }
    group.stop().await;
}
