//! The bus that records.

use std::time::Duration;

use formicary_actors::group::{BusConfig, Group};
use formicary_actors::testing::RecordingBus;
use formicary_actors::{CallError, Error, SendError};
use tokio::time::Instant;

use super::common::*;

/// A group without agents: the test itself sends and calls.
async fn stage() -> (RecordingBus, Group) {
    tokio::time::pause();
    let bus = RecordingBus::new();
    let group = Group::builder().declarations(declarations()).bus(BusConfig::recording(bus.clone()));
    (bus, group.start().await.unwrap())
}

#[actix::test]
async fn a_bus_records_what_is_sent_and_called() {
    let (bus, group) = stage().await;
    bus.assert_nothing_sent();
    bus.assert_nothing_called();
    for n in [1, 2] {
        assert_eq!(group.bus().publish("teller", &Ping { n }).await.unwrap(), Some(0));
    }
    let unheard = group.bus().call("teller", &Ask { n: 3 }).await.unwrap_err();
    assert!(matches!(unheard, Error::Call(CallError::NobodyListening { .. })));
    assert_eq!(bus.sent::<Ping>(), [Ping { n: 1 }, Ping { n: 2 }]);
    assert_eq!(bus.calls::<Ask>(), [Ask { n: 3 }]);
    bus.assert_sent(&Ping { n: 2 });
    bus.assert_sent_times::<Ping>(2);
    bus.assert_not_sent::<Pong>();
    bus.assert_called(&Ask { n: 3 });
    assert_eq!(
        bus.records(),
        [
            "teller sent `ping` {\"n\":1}",
            "teller sent `ping` {\"n\":2}",
            "teller called `ask` {\"n\":3}: left to whoever listens",
        ]
    );
    bus.clear();
    bus.assert_nothing_sent();
    bus.assert_nothing_called();
    group.stop().await;
}

#[actix::test]
async fn an_assertion_shows_what_was_expected_and_all_that_was_recorded() {
    let (bus, group) = stage().await;
    let text = panic_in(|| bus.assert_sent_once::<Ping>());
    assert_eq!(text, "expected `ping` to be sent once, and it was not; recorded on the bus in order:\n  nothing");
    group.bus().publish("teller", &Ping { n: 1 }).await.unwrap();
    group.bus().publish("teller", &Ping { n: 2 }).await.unwrap();
    let all = "recorded on the bus in order:\n  1. teller sent `ping` {\"n\":1}\n  2. teller sent `ping` {\"n\":2}";
    let text = panic_in(|| bus.assert_sent_once::<Ping>());
    assert_eq!(text, format!("expected `ping` to be sent once, and it was 2 times; {all}"));
    let text = panic_in(|| bus.assert_called_once::<Ask>());
    assert_eq!(text, format!("expected `ask` to be called once, and it was not; {all}"));
    let text = panic_in(|| bus.assert_nothing_sent());
    assert_eq!(text, format!("expected anything to be sent never, and it was 2 times; {all}"));
    let text = panic_in(|| bus.assert_sent(&Ping { n: 3 }));
    assert_eq!(text, format!("expected `ping` to be sent as {{\"n\":3}}, and it was 2 times; {all}"));
    // Who has looked and failed does not spoil it for the next one.
    bus.assert_sent_times::<Ping>(2);
    group.stop().await;
}

#[actix::test]
async fn calls_are_answered_by_scripts_in_their_order() {
    let (bus, group) = stage().await;
    let call = async |n| group.bus().call("teller", &Ask { n }).await;
    bus.answer::<Ask>(10);
    bus.fail_call::<Ask>(CallError::Overloaded { signal: "ask".into(), reason: "full".into() });
    bus.answer_with(|ask: Ask| match ask.n {
        0 => Err(CallError::Timeout { signal: "ask".into(), after: Duration::from_secs(1) }),
        6 => panic!("no sixes"),
        n => Ok(n * 2),
    });
    assert_eq!(call(1).await.unwrap(), 10);
    assert_eq!(call(1).await.unwrap_err().to_string(), "`ask`: overloaded: full");
    assert_eq!((call(4).await.unwrap(), call(5).await.unwrap()), (8, 10));
    assert!(matches!(call(0).await.unwrap_err(), Error::Call(CallError::Timeout { .. })));
    assert!(call(6).await.unwrap_err().to_string().contains("the script of the test panicked: no sixes"));
    bus.assert_called_times::<Ask>(6);
    assert_eq!(bus.records()[1], "teller called `ask` {\"n\":1}: failed: `ask`: overloaded: full");
    group.stop().await;
}

#[actix::test]
async fn a_publish_fails_and_takes_as_long_as_it_is_told() {
    let (bus, group) = stage().await;
    bus.fail_publish::<Ping>(SendError::unknown("the connection was lost"));
    let error = group.bus().publish("teller", &Ping { n: 1 }).await.unwrap_err();
    assert_eq!(error.to_string(), "it is unknown whether it was sent: the connection was lost");
    bus.assert_nothing_sent();
    let (heard, sent) = (bus.records().remove(0), "teller could not send `ping` {\"n\":1}: ");
    assert!(heard.starts_with(sent), "{heard}");
    bus.delay::<Ping>(Duration::from_secs(3));
    bus.delay::<Ask>(Duration::from_secs(3));
    let begun = Instant::now();
    group.bus().publish("teller", &Ping { n: 2 }).await.unwrap();
    bus.answer::<Ask>(1);
    group.bus().call("teller", &Ask { n: 2 }).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 6);
    // Deadlines hold: 5 s of a publish, 10 s of a call.
    bus.delay::<Ping>(Duration::from_secs(100));
    bus.delay::<Ask>(Duration::from_secs(100));
    let late = group.bus().publish("teller", &Ping { n: 3 }).await.unwrap_err();
    assert!(matches!(late, Error::Send(SendError::NotSent { .. })), "{late}");
    let late = group.bus().call("teller", &Ask { n: 3 }).await.unwrap_err();
    assert_eq!(late.to_string(), "`ask`: no answer within 10 s");
    assert_eq!(begun.elapsed().as_secs(), 21);
    group.stop().await;
}

#[actix::test]
async fn a_call_of_all_has_the_answers_of_its_script_and_ends_at_its_deadline() {
    let worker = super::collector::start().await;
    worker.bus().answer_all::<Ask>([1, 2, 3]);
    let begun = Instant::now();
    worker.signal("teller", &Ping { n: 1 }).await.unwrap();
    assert_eq!(worker.with(|me| me.0.clone()).await, [1, 2, 3]);
    assert_eq!(begun.elapsed().as_secs(), 10);
    worker.stop().await;
}

#[actix::test]
async fn it_knows_what_is_subscribed() {
    let worker = worker().start().await.unwrap();
    let bus = worker.bus().clone();
    assert_eq!(bus.subscriptions(), ["ask", "ping", "pong"]);
    worker.stop().await;
    assert!(bus.subscriptions().is_empty());
}
