//! The signals and the queue that tests of agents play with, and their declarations.

use formicary_protocol::{Declarations, Field, Queue, Signal, Value};
use serde::{Deserialize, Serialize};

macro_rules! signal {
    ($name:ident, $wire:literal, $answer:ty) => {
        #[doc = concat!("The signal `", $wire, "`.")]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// A number to know it by.
            pub n: u64,
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

signal!(Ping, "ping", Value);
signal!(Pong, "pong", Value);
signal!(Ask, "ask", u64);
signal!(Tell, "tell", ());

/// The queue `jobs` and its message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// A number to know it by.
    pub n: u64,
}

impl Queue for Job {
    const NAME: &'static str = "jobs";
    type Message = Self;

    fn fields() -> Option<Vec<Field>> {
        Some(vec![Field::of::<u64>("n")])
    }
}

/// The queue `done` and its message: what becomes of a [`Job`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// A number to know it by.
    pub n: u64,
}

impl Queue for Done {
    const NAME: &'static str = "done";
    type Message = Self;

    fn fields() -> Option<Vec<Field>> {
        Some(vec![Field::of::<u64>("n")])
    }
}

/// The declarations of all of them.
///
/// # Panics
///
/// When their own text has a mistake.
pub fn declarations() -> Declarations {
    let text = r#"{"signals": [
        {"name": "ping", "providing_args": ["n"]},
        {"name": "pong", "providing_args": ["n"]},
        {"name": "ask", "providing_args": ["n"], "types": {"n": "u64"}, "answer": "u64"},
        {"name": "tell", "providing_args": ["n"]}
    ], "queues": [{"name": "jobs", "message": {"n": "u64"}}, {"name": "done", "message": {"n": "u64"}}]}"#;
    match Declarations::parse(text, "cast") {
        Ok(declarations) => declarations,
        Err(error) => panic!("{error}"),
    }
}
