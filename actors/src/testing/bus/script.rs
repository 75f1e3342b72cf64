use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use formicary_protocol::{CheckMode, Signal, Value, decode};

use crate::agent::guarded_now;
use crate::error::{CallError, SendError};

/// What a test has told the bus, by signal.
#[derive(Default)]
pub(super) struct Scripts(BTreeMap<&'static str, Script>);

#[derive(Default)]
pub(super) struct Script {
    pub(super) answers: VecDeque<Scripted>,
    always: Option<Always>,
    pub(super) failures: VecDeque<SendError>,
    pub(super) delay: Duration,
}

pub(super) enum Scripted {
    Answers(Vec<Value>),
    Fail(CallError),
    /// What a closure makes of the call. It runs when the book is closed: it may look into it.
    Always(Always),
}

/// Reads the arguments of a call and answers it.
pub(super) type Always = Arc<Mutex<dyn FnMut(&[u8]) -> Result<Value, CallError> + Send>>;

impl Scripts {
    pub(super) fn of(&mut self, signal: &'static str) -> &mut Script {
        self.0.entry(signal).or_default()
    }

    pub(super) fn next_answer(&mut self, signal: &str) -> Option<Scripted> {
        let script = self.0.get_mut(signal)?;
        script.answers.pop_front().or_else(|| script.always.clone().map(Scripted::Always))
    }

    pub(super) fn next_failure(&mut self, signal: &str) -> Option<SendError> {
        self.0.get_mut(signal)?.failures.pop_front()
    }

    pub(super) fn delay(&self, signal: &str) -> Duration {
        self.0.get(signal).map(|script| script.delay).unwrap_or_default()
    }
}

impl Script {
    pub(super) fn answer_with<S: Signal>(
        &mut self,
        mut answer: impl FnMut(S) -> Result<S::Answer, CallError> + Send + 'static,
    ) {
        self.always = Some(Arc::new(Mutex::new(move |body: &[u8]| {
            let invalid = |reason: String| CallError::Invalid { signal: S::NAME.to_owned(), reason };
            let ask = decode::<S>(body, CheckMode::Off).map_err(|error| invalid(error.to_string()))?;
            let answer = answer(ask.value)?;
            serde_json::to_value(answer).map_err(|error| invalid(error.to_string()))
        })));
    }
}

impl Scripted {
    /// One answer, or several for who waits for all.
    pub(super) fn run(self, signal: &str, body: &[u8]) -> Result<Vec<Value>, CallError> {
        match self {
            Self::Answers(answers) => Ok(answers),
            Self::Fail(error) => Err(error),
            Self::Always(answer) => {
                let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
                // A panic here would end the arbiter, and the test with a riddle.
                let answered = guarded_now(|| answer(body)).unwrap_or_else(|message| {
                    let reason = format!("the script of the test panicked: {message}");
                    Err(CallError::Invalid { signal: signal.to_owned(), reason })
                });
                answered.map(|answer| vec![answer])
            }
        }
    }
}
