//! The queues that the cases play with, and agents that consume them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use formicary_protocol::{Declarations, Field, Queue, Value};
use serde::{Deserialize, Serialize};

/// Plain queues, one with a typed message, and three that are bound to exchanges.
const DECLARATIONS: &str = r#"{"queues": [
    {"name": "mailer"}, {"name": "second"}, {"name": "jobs", "message": {"n": "u64"}},
    {"name": "audit", "exchange": "all_events"}, {"name": "archive", "exchange": "all_events"},
    {"name": "creations", "exchange": "events", "topics": ["*.created"]},
    {"name": "users", "exchange": "events", "topics": ["user.#"]}
]}"#;

pub(crate) fn declarations() -> Declarations {
    Declarations::parse(DECLARATIONS, "conformance").unwrap()
}

macro_rules! queue {
    ($name:ident, $queue:literal) => {
        pub(crate) struct $name;

        impl Queue for $name {
            const NAME: &'static str = $queue;
            type Message = Value;

            fn fields() -> Option<Vec<Field>> {
                None
            }
        }
    };
}

queue!(Mailer, "mailer");
queue!(Creations, "creations");

/// The queue `jobs` and its message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
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

/// What agents write down, read from every thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<u64>>>);

impl Ledger {
    fn open(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, n: u64) {
        self.open().push(n);
    }

    pub fn len(&self) -> usize {
        self.open().len()
    }

    /// Each number once, in order; and how many came more than once.
    pub fn numbers(&self) -> (Vec<u64>, usize) {
        let mut all = self.open().clone();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        let duplicates = count - all.len();
        (all, duplicates)
    }

    /// How often a number is there.
    pub fn count(&self, n: u64) -> usize {
        self.open().iter().filter(|one| **one == n).count()
    }

    pub fn distinct(&self) -> usize {
        self.numbers().0.len()
    }
}
