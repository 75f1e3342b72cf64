//! Panics of handlers under a harness.

use formicary_actors::registry::RestartPolicy;

use super::common::*;

#[actix::test]
async fn a_panic_of_a_handler_fails_the_test_with_its_text() {
    let told = "the agent crashed: `hear` panicked: the devil\n(asked for at actors/tests/doubles/crashes.rs:";
    let harness = another_worker().start().await.unwrap();
    let text = panic_of(harness.signal("teller", &Ping { n: 66 })).await;
    assert!(text.starts_with(told), "{text}");
    let harness = another_worker().start().await.unwrap();
    let text = panic_of(harness.message::<Job>(&Job { n: 66 })).await;
    assert!(text.starts_with("the agent crashed: `work` panicked: the devil's job\n"), "{text}");
    let harness = another_worker().start().await.unwrap();
    let text = panic_of(harness.tick("explode")).await;
    assert!(text.starts_with("the agent crashed: `explode` panicked: boom\n"), "{text}");
}

#[actix::test]
async fn a_panic_that_nobody_has_asked_for_fails_what_comes_next_and_the_stop() {
    let harness = worker().start().await.unwrap();
    harness.group().bus().publish("teller", &Ping { n: 66 }).await.unwrap();
    harness.group().broker().inspect("jobs").await.unwrap();
    let text = panic_of(harness.idle()).await;
    assert!(text.starts_with("the agent crashed: `hear` panicked: the devil\n"), "{text}");
    let text = panic_of(harness.with(|me| me.seen.len())).await;
    assert!(text.starts_with("the agent crashed: `hear` panicked: the devil\n"), "{text}");
    let text = panic_of(harness.stop()).await;
    assert!(text.starts_with("the agent crashed: `hear` panicked: the devil\n"), "{text}");
}

#[actix::test]
async fn an_agent_that_may_crash_starts_again_and_the_panic_comes_back() {
    let harness = worker().may_crash().start().await.unwrap();
    harness.signal("teller", &Ping { n: 1 }).await.unwrap();
    let error = harness.signal("teller", &Ping { n: 66 }).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), ("panic", "the devil".to_owned()));
    // A fresh instance has it.
    assert!(harness.with(|me| me.seen.is_empty()).await);
    assert_eq!(harness.message::<Job>(&Job { n: 66 }).await.assert_retried(), "panic: the devil's job");
    assert_eq!(harness.tick("explode").await.unwrap_err().kind(), "panic");
    harness.signal("teller", &Ping { n: 2 }).await.unwrap();
    let crashes: Vec<_> = harness.crashes().into_iter().map(|(handler, _)| handler).collect();
    assert_eq!(crashes, ["hear", "work", "explode"]);
    harness.stop().await;
}

#[actix::test]
async fn an_agent_that_has_ended_says_so() {
    let harness = worker().may_crash().options(|options| options.restart(RestartPolicy::temporary()));
    let harness = harness.start().await.unwrap();
    harness.signal("teller", &Ping { n: 66 }).await.unwrap_err();
    let text = panic_of(harness.signal("teller", &Ping { n: 1 })).await;
    assert!(text.starts_with("the agent has ended (Failed): it does nothing more\n"), "{text}");
}
