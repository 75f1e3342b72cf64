use std::panic::Location;
use std::sync::Arc;

use formicary_protocol::{Bytes, Signal, check_sender, decode_answers, decode_failures, encode_signal};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Harness, fail, list};
use crate::agent::{Agent, answer};
use crate::contract::{Answers, Arriving};
use crate::error::{CallError, HandlerError};

impl<A: Agent> Harness<A> {
    /// Gives the agent a signal of a sender, waits for its handlers, and returns the error of the first that failed.
    ///
    /// # Errors
    /// The handler's, with its text and its [kind](HandlerError::kind).
    ///
    /// # Panics
    /// When no receiver hears `S`, or a handler panics.
    #[track_caller]
    pub fn signal<S: Signal>(&self, sender: &str, signal: &S) -> impl Future<Output = Result<(), HandlerError>> {
        let each = self.signal_each(sender, signal);
        async move { each.await.into_iter().try_for_each(|(_, returned)| returned.map(drop)) }
    }

    /// Gives the agent a signal, and returns what each of its handlers returned, by its name, in the order of their
    /// declaration. On a real bus nobody sees that of a signal.
    ///
    /// # Panics
    /// As [`Harness::signal`].
    #[track_caller]
    pub fn signal_each<S: Signal>(&self, sender: &str, signal: &S) -> impl Future<Output = Returned> {
        let at = Location::caller();
        let body = encode_signal(signal).unwrap_or_else(|error| fail(at, &error.to_string()));
        self.raw(at, S::NAME, sender, body)
    }

    /// Gives the agent a signal with any body, as another program might send it. What cannot be decoded comes back as an
    /// error of the kind `decode`.
    ///
    /// # Panics
    /// As [`Harness::signal`].
    #[track_caller]
    pub fn signal_raw(&self, sender: &str, signal: &str, body: &[u8]) -> impl Future<Output = Returned> {
        self.raw(Location::caller(), signal, sender, Bytes::copy_from_slice(body))
    }

    fn raw(
        &self,
        at: &'static Location<'static>,
        signal: &str,
        sender: &str,
        body: Bytes,
    ) -> impl Future<Output = Returned> {
        let (signal, sender) = (Arc::from(signal), Arc::from(sender));
        async move { returned(&self.ask(at, Arriving { signal, sender, call: None, body }).await) }
    }

    /// Calls the agent, and returns what its caller would get.
    ///
    /// # Errors
    /// As of [`Bus::call`](crate::bus::Bus::call): of a handler that failed [`CallError::Remote`]; [`CallError::Timeout`], at once,
    /// when filters refused the call.
    ///
    /// # Panics
    /// When no receiver hears `S`, or a handler panics.
    #[track_caller]
    pub fn call<S: Signal>(&self, sender: &str, ask: &S) -> impl Future<Output = Result<S::Answer, CallError>> {
        let at = Location::caller();
        let body = encode_signal(ask).unwrap_or_else(|error| fail(at, &error.to_string()));
        let call = Some(self.group.env().ids.id());
        let arriving = Arriving { signal: S::NAME.into(), sender: sender.into(), call, body };
        async move {
            let answers = self.ask(at, arriving).await;
            if decode_answers(&answers.body).is_ok_and(|said| said.is_empty()) {
                let after = self.group.env().limits.call_deadline;
                return Err(CallError::Timeout { signal: S::NAME.to_owned(), after });
            }
            answer::first(S::NAME, &answers)
        }
    }

    async fn ask(&self, at: &'static Location<'static>, arriving: Arriving) -> Answers {
        if let Err(error) = check_sender(&arriving.sender) {
            fail(at, &error.to_string());
        }
        let (watch, mut answers) = mpsc::channel(1);
        {
            let reception = self.instance(at).await.reception.clone();
            let Some(inlet) = reception.inlet_of(&arriving.signal) else {
                let heard = reception.signals();
                let heard = list(heard.iter().map(|signal| &**signal));
                fail(at, &format!("the agent does not receive `{}`; it receives {heard}", arriving.signal));
            };
            inlet.offer_watched(arriving, watch);
        }
        let answered = self.unless_crashed(at, answers.recv()).await;
        // Each handler answers, if only that it was dropped; when all filters refuse, the answer is empty.
        answered.unwrap_or_else(|| fail(at, "the answer of the handlers cannot be encoded"))
    }
}

/// What handlers returned, by their names.
pub type Returned = Vec<(String, Result<Value, HandlerError>)>;

fn returned(answers: &Answers) -> Returned {
    let failures = answers.failures.as_deref().and_then(|body| decode_failures(body).ok()).unwrap_or_default();
    let said = decode_answers(&answers.body).unwrap_or_default();
    let each = said.into_iter().map(|(key, value)| {
        let failure = failures.iter().find(|(of, _)| *of == key).map(|(_, failure)| failure.clone());
        let name = key.split_once('.').map_or(&*key, |(_, method)| method).to_owned();
        let outcome = match failure {
            Some(failure) => Err(HandlerError::of_kind(kind(&failure.kind), failure.message)),
            None => Ok(value),
        };
        (name, outcome)
    });
    each.collect()
}

/// The kinds that our own agents tell.
fn kind(word: &str) -> &'static str {
    const KINDS: [&str; 8] = ["timeout", "panic", "stopped", "decode", "overloaded", "deadlock", "encode", "too_large"];
    KINDS.into_iter().find(|kind| *kind == word).unwrap_or("error")
}
