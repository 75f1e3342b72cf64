//! A call that came in: the answers of all handlers of one agent become one answer.

use std::sync::{Arc, Mutex, PoisonError};

use formicary_protocol::entry::MAX_ERROR;
use formicary_protocol::{Bytes, RemoteFailure, Value, encode_answers, encode_failures};

use crate::bus::Bus;
use crate::contract::Address;

/// Gathers what the handlers of one agent say to one call.
#[derive(Debug)]
pub(crate) struct Request {
    id: Arc<str>,
    responder: Arc<str>,
    bus: Bus,
    gathered: Mutex<Gathered>,
}

#[derive(Debug)]
struct Gathered {
    values: Vec<(String, Value)>,
    failures: Vec<(String, RemoteFailure)>,
    open: usize,
}

/// The duty of one handler to answer. Dropped unanswered, it answers with an error.
#[derive(Debug)]
pub(crate) struct Ticket {
    request: Option<Arc<Request>>,
    slot: usize,
}

impl Request {
    /// A ticket for each handler, by its key `<Agent>.<method>`.
    pub(crate) fn open(id: Arc<str>, responder: Arc<str>, bus: Bus, handlers: &[Arc<str>]) -> Vec<Ticket> {
        let values = handlers.iter().map(|key| (key.to_string(), Value::Null)).collect();
        let gathered = Mutex::new(Gathered { values, failures: Vec::new(), open: handlers.len() });
        let request = Arc::new(Self { id, responder, bus, gathered });
        (0..handlers.len()).map(|slot| Ticket { request: Some(request.clone()), slot }).collect()
    }

    fn resolve(&self, slot: usize, answer: Result<Value, RemoteFailure>) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let gathered = &mut *gathered;
        match answer {
            Ok(value) => gathered.values[slot].1 = value,
            Err(failure) => gathered.failures.push((gathered.values[slot].0.clone(), failure)),
        }
        gathered.open -= 1;
        if gathered.open == 0 {
            self.publish(gathered);
        }
    }

    /// Errors first: a caller that reads them must have them when the answer comes.
    fn publish(&self, gathered: &mut Gathered) {
        let body = encode_answers(&gathered.values).map_err(|error| ("encode", error.to_string()));
        let body = body.and_then(|body| self.check_size(body)).or_else(|(kind, message)| {
            for (handler, value) in gathered.values.iter_mut().filter(|(_, value)| !value.is_null()) {
                *value = Value::Null;
                let failure = RemoteFailure { kind: kind.to_owned(), message: message.clone() };
                gathered.failures.push((handler.clone(), failure));
            }
            encode_answers(&gathered.values)
        });
        let (responder, call) = (self.responder.clone(), self.id.clone());
        if !gathered.failures.is_empty()
            && let Ok(body) = encode_failures(&gathered.failures)
        {
            self.bus.answer(Address::AnswerError { responder: responder.clone(), call: call.clone() }, body);
        }
        match body {
            Ok(body) => self.bus.answer(Address::Answer { responder, call }, body),
            Err(error) => tracing::error!(%call, "an answer cannot be encoded: {error}"),
        }
    }

    fn check_size(&self, body: Bytes) -> Result<Bytes, (&'static str, String)> {
        let limit = self.bus.env().limits.max_body.get();
        match body.len() > limit {
            true => Err(("too_large", format!("the answer is larger than {limit} bytes (setting max_body)"))),
            false => Ok(body),
        }
    }
}

impl Ticket {
    pub(crate) fn answer(mut self, value: Value) {
        self.resolve(Ok(value));
    }

    pub(crate) fn fail(mut self, kind: &str, message: impl Into<String>) {
        // As long as an error in a message's history: the caller has to see it, not store it.
        let mut message: String = message.into();
        let cut = (0..=MAX_ERROR.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(cut.unwrap_or_default());
        self.resolve(Err(RemoteFailure { kind: kind.to_owned(), message }));
    }

    pub(crate) fn id(&self) -> Option<&Arc<str>> {
        self.request.as_ref().map(|request| &request.id)
    }

    fn resolve(&mut self, answer: Result<Value, RemoteFailure>) {
        if let Some(request) = self.request.take() {
            request.resolve(self.slot, answer);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let message = "the agent crashed or stopped while it had the request".to_owned();
        self.resolve(Err(RemoteFailure { kind: "stopped".to_owned(), message }));
    }
}
