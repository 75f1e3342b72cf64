//! A consumer that passes each message on to another queue, in its outbox.

use std::fs::File;

use formicary::prelude::*;
use formicary::protocol::Field;
use formicary::{Declarations, Outbox, Queue};
use serde::{Deserialize, Serialize};

use super::Setup;
use super::record::{self, Handled};
use crate::common::{Job, declarations as cast};

/// The queue `passed` and its message.
#[derive(Debug, Serialize, Deserialize)]
struct Passed {
    n: u64,
}

impl Queue for Passed {
    const NAME: &'static str = "passed";
    type Message = Self;

    fn fields() -> Option<Vec<Field>> {
        Some(vec![Field::of::<u64>("n")])
    }
}

/// The number in the body of such a message.
pub fn passed_number(body: &str) -> u64 {
    serde_json::from_str::<Passed>(body).unwrap().n
}

pub fn declarations() -> Declarations {
    let passed = r#"{"queues": [{"name": "passed", "message": {"n": "u64"}}]}"#;
    let mut all = cast();
    all.merge(Declarations::parse(passed, "relay").unwrap()).unwrap();
    all
}

pub struct Relay(File);

impl Relay {
    pub fn new(setup: &Setup) -> Self {
        Self(record::open(&setup.record))
    }
}

impl Agent for Relay {
    fn declare(agent: &mut AgentBuilder<Self>) {
        type Extractors = (Delivery, Outbox<Passed>);
        agent.consumer::<Job, _, _, _, _>("relay", async |me: &Self, job: Job, (delivery, passed): Extractors| {
            Handled { n: job.n, attempt: delivery.attempt(), by: std::process::id() }.write(&me.0);
            passed.send(&Passed { n: job.n })
        });
    }
}
