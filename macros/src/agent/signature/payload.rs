//! The payload of a handler: one, or a batch.

use syn::Type;

use super::Reader;
use crate::agent::kind::Kind;
use crate::agent::policy::Policy;
use crate::agent::receiver::Hears;
use crate::agent::types::{batch, item, last_name, not_owned};

const BLOCKING: &str = "a batch consumer is never `blocking`: take `blocking` away, and hand what blocks to \
                        `tokio::task::spawn_blocking`";
const MANY_KEYS: &str = "a batch holds messages of many keys: take `by` away; without `concurrency`, batches come one after \
                         the other";
const NO_BATCH: &str = "`batch` is for a consumer that takes a `Vec<Item<..>>`: write `mails: Vec<Item<queues::Mailer>>`, or \
                        take `batch` away";

/// What arrives.
pub(crate) struct Payload {
    pub(crate) ty: Type,
    /// Whether the method takes a `Vec<Item<ty>>`.
    pub(crate) batched: bool,
}

impl Reader<'_> {
    pub(super) fn payload(&mut self, signature: &syn::Signature, payload: Option<&Type>) -> Option<Payload> {
        let Some(ty) = payload else {
            let example = match self.kind {
                Kind::Receiver(hears) if hears.is_by_type => "comment: signals::UserComment",
                Kind::Receiver(_) => "signal: AnySignal",
                _ => "mail: queues::Mailer",
            };
            let place = if self.blocking { "the first argument" } else { "the first argument after `self`" };
            let text = format!("{} needs a payload, {place}: write `{example}`, for example", self.what);
            return self.refuse(&signature.ident, text);
        };
        if let Some(span) = not_owned(ty) {
            return self
                .refuse_at(span, "the payload is taken by value, and its type is named: take the `&` or `impl` away");
        }
        match self.kind {
            Kind::Receiver(hears) => self.signals(ty, hears)?,
            Kind::Consumer { policy, .. } => return self.messages(ty, policy),
            _ => {}
        }
        if item(ty).is_some() || batch(ty).is_some() {
            return self.refuse(ty, format!("{} takes one payload: only a #[consumer] takes a batch", self.what));
        }
        Some(Payload { ty: ty.clone(), batched: false })
    }

    /// Whether the payload is what a list of signals needs, or one signal.
    fn signals(&mut self, ty: &Type, hears: &Hears) -> Option<()> {
        let is_any = last_name(ty).as_deref() == Some("AnySignal");
        match hears.is_by_type {
            true if is_any => self.refuse(
                ty,
                "which signals? write #[receiver(signals::A, signals::B)] or #[receiver(signals = \"a_*\")], or take the signal's type",
            ),
            false if !is_any => self.refuse(
                ty,
                "a receiver with a list of signals takes an `AnySignal`; for one signal, leave the list away",
            ),
            _ => Some(()),
        }
    }

    /// The payload of a consumer, which may be a batch.
    fn messages(&mut self, ty: &Type, policy: &Policy) -> Option<Payload> {
        match batch(ty) {
            Some(_) if self.blocking => self.refuse(ty, BLOCKING),
            Some(message) => match &policy.by {
                Some(by) => self.refuse_at(by.span, MANY_KEYS),
                None => Some(Payload { ty: message.clone(), batched: true }),
            },
            None if item(ty).is_some() => self.refuse(ty, "a batch is a list: write `Vec<Item<..>>`"),
            None => match &policy.batch {
                Some(batch) => self.refuse_at(batch.span, NO_BATCH),
                None => Some(Payload { ty: ty.clone(), batched: false }),
            },
        }
    }
}
