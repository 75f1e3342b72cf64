//! The signals that the cases play with, and an agent that answers.

use std::time::Duration;

use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_protocol::{Declarations, Field, Signal};
use serde::{Deserialize, Serialize};

macro_rules! signal {
    ($(#[doc = $doc:literal])+ $name:ident, $wire:literal, $answer:ty) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $name {
            pub(crate) n: u64,
        }

        impl Signal for $name {
            const NAME: &'static str = $wire;
            type Answer = $answer;

            fn fields() -> Vec<Field> {
                vec![Field::of::<u64>("n")]
            }
        }
    };
}

signal!(
    /// What is published.
    Note, "note", ()
);
signal!(
    /// A neighbour of `note`, whose name begins like it.
    Notes, "note.s", ()
);
signal!(
    /// What is asked.
    Ask, "ask", u64
);

pub(crate) fn declarations() -> Declarations {
    let text = r#"{"signals": [
        {"name": "note", "providing_args": ["n"]},
        {"name": "note.s", "providing_args": ["n"]},
        {"name": "ask", "providing_args": ["n"], "types": {"n": "u64"}, "answer": "u64"}
    ], "queues": []}"#;
    Declarations::parse(text, "the conformance suite").unwrap()
}

/// Answers each `ask` with twice its number, after a time; some numbers fail.
pub(crate) struct Doubles {
    pub(crate) after: Duration,
}

impl Doubles {
    pub(crate) const ERROR: u64 = 400;
    pub(crate) const PANIC: u64 = 500;
    pub(crate) const HANGS: u64 = 408;

    pub(crate) fn at_once() -> Self {
        Self { after: Duration::ZERO }
    }
}

impl Agent for Doubles {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("double", async |me: &Self, ask: Ask, ()| -> Result<u64, HandlerError> {
            if !me.after.is_zero() {
                tokio::time::sleep(me.after).await;
            }
            match ask.n {
                Self::ERROR => Err("no such number")?,
                Self::PANIC => panic!("the handler breaks"),
                Self::HANGS => std::future::pending().await,
                n => Ok(n * 2),
            }
        });
    }
}
