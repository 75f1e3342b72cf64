//! Calls.

use std::sync::Arc;
use std::time::Instant;

use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use formicary_actors::group::Group;
use formicary_actors::{CallError, Error, HandlerError};
use formicary_test_support::{rabbitmq, require_rabbitmq, wait};
use futures_util::future::join_all;
use lapin::BasicProperties;

use crate::bus_common::{Inbox, Ping, Program, S, bus, declarations};

#[actix::test]
async fn calls_are_answered_by_other_programs_or_fail_with_their_cause() {
    if !require_rabbitmq("calls_are_answered_by_other_programs_or_fail_with_their_cause") {
        return;
    }
    let place = rabbitmq::shared("calls_are_answered_by_other_programs").await;
    let bus = bus(&place.url());
    let start = Instant::now();
    let error = bus.call("me", &Ping { n: 1 }).await.unwrap_err();
    assert!(matches!(&error, Error::Call(CallError::NobodyListening { signal }) if signal == "ping"), "{error}");
    assert!(start.elapsed() < S, "at once, and not at the deadline of the call");
    let mut program = Program::connect(&place.url()).await;
    program.bind("ping.*").await;
    let answer = async |program: &mut Program| {
        let call = program.next().await;
        program.answer(&call, b"{\"A.b\": 42}").await;
        call
    };
    let (answered, call) = futures_util::join!(bus.call("me", &Ping { n: 7 }), answer(&mut program));
    assert_eq!(answered.unwrap(), 42);
    assert_eq!((call.routing_key.as_str(), &call.data[..]), ("ping.me", &b"{\"n\":7}"[..]));
    // A second answer, one to a call that nobody made, and what is none at all.
    program.answer(&call, b"{\"A.b\": 43}").await;
    let home = call.properties.reply_to().clone().unwrap();
    program.publish("", home.as_str(), b"{}", BasicProperties::default().with_correlation_id("never".into())).await;
    program.publish("", home.as_str(), b"{}", BasicProperties::default()).await;
    let odd = BasicProperties::default().with_correlation_id("1".into()).with_type("advice".into());
    program.publish("", home.as_str(), b"{}", odd).await;
    let events = &bus.env().events;
    wait::until(5 * S, "the strays", async || events.count(EventKind::BadChannel) == 2).await;
    assert_eq!((events.count(EventKind::DuplicateAnswer), events.count(EventKind::LateAnswer)), (1, 0));
}

struct Doubles;

impl Agent for Doubles {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("double", async |_: &Self, ping: Ping, ()| -> Result<u64, HandlerError> {
            match ping.n {
                400 => Err("no such number")?,
                n => Ok(n * 2),
            }
        });
    }
}

#[actix::test]
async fn agents_answer_other_programs() {
    if !require_rabbitmq("agents_answer_other_programs") {
        return;
    }
    let place = rabbitmq::shared("agents_answer_other_programs").await;
    let group = Group::builder().declarations(declarations()).bus(place.url().parse().unwrap());
    let group = group.agent(|| Doubles).start().await.unwrap();
    let mut program = Program::connect(&place.url()).await;
    let seen = |properties: &BasicProperties| {
        let text = |of: &Option<lapin::types::ShortString>| of.as_ref().map(ToString::to_string);
        assert!(properties.app_id().is_some(), "who answers");
        (text(properties.correlation_id()), text(properties.kind()))
    };
    let named = |id: &str, kind: &str| (Some(id.to_owned()), Some(kind.to_owned()));
    // The id is the caller's own, whatever it holds.
    program.call("ping.py", "a@b%#", b"{\"n\": 4}").await;
    let answer = program.next().await;
    assert_eq!(seen(&answer.properties), named("a@b%#", "answer"));
    assert_eq!(String::from_utf8_lossy(&answer.data), "{\"Doubles.double\":8}");
    program.call("ping.py", "2", b"{\"n\": 400}").await;
    let (failure, answer) = (program.next().await, program.next().await);
    assert_eq!(seen(&failure.properties), named("2", "answer_error"));
    assert!(String::from_utf8_lossy(&failure.data).contains("no such number"));
    assert_eq!(seen(&answer.properties), named("2", "answer"));
    group.stop().await;
}

#[actix::test]
async fn a_thousand_calls_in_flight_each_get_their_own_answer() {
    if !require_rabbitmq("a_thousand_calls_in_flight_each_get_their_own_answer") {
        return;
    }
    let place = rabbitmq::shared("a_thousand_calls_in_flight").await;
    let group = Group::builder().declarations(declarations()).bus(place.url().parse().unwrap());
    let group = group.agent(|| Doubles).start().await.unwrap();
    let far = bus(&place.url());
    let call = async |n: u64| match n % 100 {
        // Between the calls that are answered, some that nobody hears: each fails for itself.
        99 => assert_unheard(far.call("me", &Unheard {}).await),
        _ => assert_eq!(far.call("me", &Ping { n }).await.unwrap(), n * 2),
    };
    join_all((0..1_000).filter(|n| *n != 400).map(call)).await;
    // The caller in the group itself, which answers its own calls.
    let bus = group.bus().clone();
    let own = (0..100).map(async |n| bus.call("me", &Ping { n }).await);
    let answers: Vec<_> = join_all(own).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, (0..200).step_by(2).collect::<Vec<_>>());
    group.stop().await;
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Unheard {}

impl formicary_protocol::Signal for Unheard {
    const NAME: &'static str = "other";
    type Answer = u64;

    fn fields() -> Vec<formicary_protocol::Field> {
        Vec::new()
    }
}

fn assert_unheard(outcome: Result<u64, Error>) {
    assert!(matches!(outcome, Err(Error::Call(CallError::NobodyListening { .. }))), "{outcome:?}");
}

#[actix::test]
async fn calls_from_two_buses_do_not_mix() {
    if !require_rabbitmq("calls_from_two_buses_do_not_mix") {
        return;
    }
    let place = rabbitmq::shared("calls_from_two_buses_do_not_mix").await;
    let (one, two) = (bus(&place.url()), bus(&place.url()));
    let inbox = Arc::new(Inbox::default());
    one.subscribe("ping", inbox.clone()).await.unwrap();
    let calls = [one.clone(), two].map(|bus| actix_rt::spawn(async move { bus.call("me", &Ping { n: 1 }).await }));
    let calls_seen = inbox.until(2).await;
    // A call of the bus's own keeps its id; another's brings the way back.
    let own = calls_seen.iter().filter(|one| !one.call.as_ref().unwrap().contains('@')).count();
    assert_eq!(own, 1);
    calls.into_iter().for_each(|call| call.abort());
}
