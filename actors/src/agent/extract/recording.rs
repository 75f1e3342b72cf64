use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::CallError;

/// What a recording twin was given, and what it answers.
#[derive(Debug, Clone)]
pub struct Recorder<T> {
    book: Arc<Book>,
    of: std::marker::PhantomData<fn() -> T>,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    sent: Mutex<Vec<Value>>,
    answers: Mutex<VecDeque<Result<Value, CallError>>>,
}

/// More than a test looks at; a loop that never ends must not fill the memory.
const MOST: usize = 100_000;

impl Book {
    pub(super) fn record<T: Serialize>(&self, value: &T) -> Result<(), serde_json::Error> {
        let mut sent = lock(&self.sent);
        if sent.len() < MOST {
            sent.push(serde_json::to_value(value)?);
        }
        Ok(())
    }

    pub(super) fn next_answer(&self) -> Option<Result<Value, CallError>> {
        lock(&self.answers).pop_front()
    }
}

impl<T> Recorder<T> {
    pub(super) fn new() -> (Self, Arc<Book>) {
        let book = Arc::new(Book::default());
        (Self { book: book.clone(), of: std::marker::PhantomData }, book)
    }

    /// Says what the next call is answered with. Answers are used in the order in which they were given.
    pub fn answer(&self, answer: impl Into<Value>) {
        lock(&self.book.answers).push_back(Ok(answer.into()));
    }

    /// Says with which error the next call fails.
    pub fn fail(&self, error: CallError) {
        lock(&self.book.answers).push_back(Err(error));
    }
}

impl<T: DeserializeOwned> Recorder<T> {
    /// What was sent or asked so far, in order.
    ///
    /// # Panics
    /// When a record does not decode into `T`: it was encoded from a `T`, so its two halves of serde disagree.
    pub fn sent(&self) -> Vec<T> {
        let sent = lock(&self.book.sent);
        sent.iter()
            .map(|value| match serde_json::from_value(value.clone()) {
                Ok(record) => record,
                Err(error) => panic!("a record does not decode into its own type: {error}; it is {value}"),
            })
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
