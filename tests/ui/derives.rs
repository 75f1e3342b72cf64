#![allow(unused)]
use formicary::{Queue, Signal};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Signal)]
enum Choice {
    One,
}

#[derive(Serialize, Deserialize, Signal)]
struct Pair(u8, u8);

#[derive(Serialize, Deserialize, Signal)]
struct Generic<T> {
    value: T,
}

#[derive(Serialize, Deserialize, Signal)]
#[signal(name = "response")]
struct Reserved {}

#[derive(Serialize, Deserialize, Signal)]
#[signal(names = "x", answer = "u64")]
struct Options {}

#[derive(Serialize, Deserialize, Queue)]
#[queue(name = "mailer:dead", answer = u64)]
struct Dead {
    text: String,
}

#[derive(Serialize, Deserialize, Signal)]
struct Flat {
    #[serde(flatten)]
    inner: Reserved,
    #[serde(rename(serialize = "a", deserialize = "b"))]
    two: u8,
}

fn main() {}
