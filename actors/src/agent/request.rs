//! A call that came in: the answers of all handlers of one agent become one answer.

use std::sync::{Arc, Mutex, PoisonError};

use formicary_protocol::entry::MAX_ERROR;
use formicary_protocol::{Bytes, RemoteFailure, Value, encode_answers, encode_failures};
use tokio::sync::mpsc;

use crate::bus::Bus;
use crate::contract::{Address, Answers};

/// One call to one agent.
#[derive(Debug)]
pub(crate) struct Request {
    id: Arc<str>,
    responder: Arc<str>,
    bus: Bus,
    /// Who is given the answer instead of the bus.
    watch: Option<Watch>,
    /// `<Agent>.<method>` of each handler that is asked.
    keys: Arc<[Arc<str>]>,
}

/// What the handlers of one agent have said so far.
#[derive(Debug)]
struct Gathering {
    request: Request,
    answers: Mutex<Gathered>,
}

#[derive(Debug)]
struct Gathered {
    said: Vec<Said>,
    /// How many handlers have neither answered nor declined.
    open: usize,
}

/// What a handler said, by its place among the keys.
type Said = (usize, Result<Value, RemoteFailure>);

/// Where a harness hears what the handlers of one signal returned.
pub(crate) type Watch = mpsc::Sender<Answers>;

/// The duty of one handler to answer, or to decline. Dropped, it answers with an error.
#[derive(Debug)]
pub(crate) struct Ticket(Option<Duty>);

#[derive(Debug)]
enum Duty {
    /// The only handler that is asked, as most are.
    Sole(Request),
    OneOf(Arc<Gathering>, usize),
}

impl Request {
    /// A ticket for each handler, by its key.
    pub(crate) fn open(
        id: Arc<str>,
        responder: Arc<str>,
        bus: Bus,
        keys: Arc<[Arc<str>]>,
        watch: Option<Watch>,
    ) -> impl Iterator<Item = Ticket> {
        let count = keys.len();
        let request = Self { id, responder, bus, watch, keys };
        let (sole, several) = match count {
            1 => (Some(request), None),
            _ => {
                let answers = Mutex::new(Gathered { said: Vec::with_capacity(count), open: count });
                (None, Some(Arc::new(Gathering { request, answers })))
            }
        };
        let several = several.into_iter().flat_map(move |all| (0..count).map(move |at| Duty::OneOf(all.clone(), at)));
        sole.map(Duty::Sole).into_iter().chain(several).map(|duty| Ticket(Some(duty)))
    }

    /// Publishes what the handlers said; nothing, when all have declined. Errors first: a caller that reads them must have them
    /// when the answer comes.
    fn publish(&self, said: &mut [Said]) {
        if said.is_empty() && self.watch.is_none() {
            return;
        }
        let mut body = self.encode(said);
        if let Err((kind, message)) = &body {
            for (_, said) in said.iter_mut().filter(|(_, said)| said.as_ref().is_ok_and(|value| !value.is_null())) {
                *said = Err(RemoteFailure { kind: (*kind).to_owned(), message: message.clone() });
            }
            body = self.encode(said);
        }
        let (responder, call) = (self.responder.clone(), self.id.clone());
        let failures = said.iter().filter_map(|(at, said)| Some((&*self.keys[*at], said.as_ref().err()?)));
        let failures: Vec<_> = failures.collect();
        let failures = match failures.is_empty() {
            true => None,
            false => encode_failures(failures.iter().copied()).ok(),
        };
        if let Some(watch) = &self.watch {
            let answers = body.map(|body| Answers { responder, body, failures });
            // One request has one answer, for which there is room; a watcher that has gone wants none.
            return answers.into_iter().for_each(|answers| drop(watch.try_send(answers)));
        }
        if let Some(body) = failures {
            self.bus.answer(Address::AnswerError { responder: responder.clone(), call: call.clone() }, body);
        }
        match body {
            Ok(body) => self.bus.answer(Address::Answer { responder, call }, body),
            Err((_, error)) => tracing::error!(%call, "an answer cannot be encoded: {error}"),
        }
    }

    fn encode(&self, said: &[Said]) -> Result<Bytes, (&'static str, String)> {
        let answers = said.iter().map(|(at, said)| (&*self.keys[*at], said.as_ref().unwrap_or(&Value::Null)));
        let body = encode_answers(answers).map_err(|error| ("encode", error.to_string()))?;
        let limit = self.bus.env().limits.max_body.get();
        match body.len() > limit {
            true => Err(("too_large", format!("the answer is larger than {limit} bytes (setting max_body)"))),
            false => Ok(body),
        }
    }
}

impl Gathering {
    fn said(&self, said: Option<Said>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.said.extend(said);
        answers.open -= 1;
        if answers.open == 0 {
            let mut all = std::mem::take(&mut answers.said);
            drop(answers);
            all.sort_by_key(|(at, _)| *at);
            self.request.publish(&mut all);
        }
    }
}

impl Ticket {
    pub(crate) fn answer(mut self, value: Value) {
        self.say(Some(Ok(value)));
    }

    pub(crate) fn fail(mut self, kind: &str, message: impl Into<String>) {
        // As long as an error in a message's history: the caller has to see it, not store it.
        let mut message: String = message.into();
        let cut = (0..=MAX_ERROR.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(cut.unwrap_or_default());
        self.say(Some(Err(RemoteFailure { kind: kind.to_owned(), message })));
    }

    /// The handler answers nothing, as if it did not listen.
    pub(crate) fn decline(mut self) {
        self.say(None);
    }

    /// The id of the call.
    pub(crate) fn id(&self) -> Option<&Arc<str>> {
        self.0.as_ref().map(|duty| match duty {
            Duty::Sole(request) => &request.id,
            Duty::OneOf(all, _) => &all.request.id,
        })
    }

    fn say(&mut self, said: Option<Result<Value, RemoteFailure>>) {
        match self.0.take() {
            Some(Duty::Sole(request)) => request.publish(said.map(|said| (0, said)).as_mut_slice()),
            Some(Duty::OneOf(all, at)) => all.said(said.map(|said| (at, said))),
            None => {}
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.0.is_some() {
            let message = "the agent crashed or stopped while it had the request".to_owned();
            self.say(Some(Err(RemoteFailure { kind: "stopped".to_owned(), message })));
        }
    }
}
