//! What we publish is what Python does.

use std::time::Duration;

use formicary_actors::{CallError, Error};

use super::cast::One;
use super::{Ear, answered, bus, call, env, group};
use crate::bus::stage::{Stage, up};
use crate::left_out::Verdict;
use crate::wire::Vector;

/// Signals go out on Python's channels, with Python's bodies.
pub(crate) async fn signals_are_published_as_python_does(stage: &mut Stage) -> Verdict {
    let mut ear = Ear::at(stage).await?;
    let vectors = Vector::like("signal_send");
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let publish = &vector.publishes()[0];
        let (signal, sender) = publish.names();
        bus(stage, &publish.prefix()).dynamic(sender, signal, &publish.value()).await.unwrap();
        vector.holds(&[ear.next().await]);
    }
    Ok(())
}

/// So do calls and their answers: one answer of each agent, with what each of its handlers said, and null of one that failed.
pub(crate) async fn calls_and_answers_are_published_as_python_does(stage: &mut Stage) -> Verdict {
    let mut ear = Ear::at(stage).await?;
    let prefix = Vector::named("rpc_int").publishes()[0].prefix();
    let (caller, one) = (bus(stage, &prefix), group(stage, &prefix).agent(|| One).start().await.unwrap());
    let mut called = 0;
    for vector in answered() {
        let publishes = vector.publishes();
        let two = match publishes.len() {
            2 => None,
            _ => Some(group(stage, &prefix).agent(|| One).start().await.unwrap()),
        };
        let outcome = call(&caller, &publishes[0]).await;
        let mut ours = Vec::new();
        while ours.len() < publishes.len() {
            ours.push(ear.next().await);
        }
        vector.holds(&ours);
        match publishes[1].value().as_object().unwrap().values().find(|value| !value.is_null()) {
            Some(answer) => assert_eq!(outcome.unwrap(), *answer, "{}", vector.name()),
            None => assert!(outcome.is_err(), "{}", vector.name()),
        }
        called += 1;
        if let Some(two) = two {
            two.stop().await;
        }
    }
    assert_eq!(called, 13);
    one.stop().await;
    Ok(())
}

/// So does a call that nobody answers.
pub(crate) async fn a_call_that_nobody_answers_is_published_as_python_does(stage: &mut Stage) -> Verdict {
    let mut ear = Ear::at(stage).await?;
    let vector = Vector::named("rpc_call_no_responder");
    let publish = &vector.publishes()[0];
    let mut env = env(&publish.prefix());
    env.limits.call_deadline = Duration::from_secs(1);
    let caller = stage.bus_with(env);
    up(&caller).await;
    // Whoever overhears is somebody who listens, to some servers.
    let error = call(&caller, publish).await.unwrap_err();
    let unanswered = matches!(error, Error::Call(CallError::NobodyListening { .. } | CallError::Timeout { .. }));
    assert!(unanswered, "{error}");
    vector.holds(&[ear.next().await]);
    Ok(())
}
