//! The kinds of handlers, and the options of each.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::Type;

use super::policy::{self, Policy};
use super::receiver::{self, Hears};
use super::settings;
use crate::options::{self, Options};
use crate::problems::Problems;

/// The shortest interval that the builder takes.
const SHORTEST: Duration = Duration::from_millis(1);

/// What a handler is, without its options.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Receiver,
    Consumer,
    Periodic,
    Cron,
    PreStart,
    PostStart,
    PreStop,
    Server,
}

/// What a handler is.
pub(super) enum Kind {
    Receiver(Hears),
    Consumer {
        queue: Option<Type>,
        policy: Policy,
    },
    /// What `on_exhausted` names. It has no attribute of its own.
    Exhausted {
        queue: Type,
    },
    Periodic {
        period: Duration,
    },
    Cron {
        expression: String,
        zone: String,
    },
    PreStart,
    PostStart,
    PreStop,
    Server,
}

impl Kind {
    /// Whether the handler may be `blocking`.
    pub(super) fn may_block(&self) -> bool {
        matches!(self, Self::Receiver(_) | Self::Consumer { .. } | Self::Periodic { .. } | Self::Cron { .. })
    }
}

/// Which of the handlers an attribute marks.
pub(super) fn word(mark: &str, options: &mut Options, problems: &mut Problems) -> Option<Word> {
    Some(match mark {
        "receiver" => Word::Receiver,
        "consumer" => Word::Consumer,
        "periodic" => Word::Periodic,
        "cron" => Word::Cron,
        "server" => Word::Server,
        _ => return hook(options, problems),
    })
}

fn hook(options: &mut Options, problems: &mut Problems) -> Option<Word> {
    const CURE: &str = "one of pre_start, post_start and pre_stop";
    let words = options.words();
    if words.len() != 1 {
        let span = words.get(1).map_or(options.span(), Ident::span);
        problems.here(span, format!("#[on] takes {CURE}"));
        return None;
    }
    match words[0].to_string().as_str() {
        "pre_start" => Some(Word::PreStart),
        "post_start" => Some(Word::PostStart),
        "pre_stop" => Some(Word::PreStop),
        other => {
            problems.at(&words[0], format!("#[on] does not know `{other}`: it takes {CURE}"));
            None
        }
    }
}

/// Reads the options.
pub(super) fn read(word: Word, mut all: Options, problems: &mut Problems) -> Option<(Kind, TokenStream)> {
    let options = &mut all;
    let mut calls = TokenStream::new();
    let (kind, known) = match word {
        Word::Receiver => {
            let hears = receiver::read(options, problems);
            calls.extend(settings::timeout(options, problems));
            calls.extend(settings::count("concurrency", options, problems));
            calls.extend(settings::count("inbox", options, problems));
            calls.extend(settings::rate(options, problems));
            let known = "types of signals, signals, filter, blocking, timeout, concurrency, inbox, rate, layer";
            (Some(Kind::Receiver(hears)), known)
        }
        Word::Consumer => {
            let mut queues = options.paths().into_iter();
            let queue = queues.next();
            if let Some(second) = queues.next() {
                problems.at(&second, "a consumer takes one queue: write a method for each");
            }
            calls.extend(settings::timeout(options, problems));
            calls.extend(settings::count("concurrency", options, problems));
            calls.extend(settings::rate(options, problems));
            let (policy, more) = policy::read(options, problems);
            calls.extend(more);
            let known = "a queue, blocking, timeout, concurrency, rate, by, retry, dead_letter, on_exhausted, dedup, batch, \
                         layer";
            (Some(Kind::Consumer { queue, policy }), known)
        }
        Word::Periodic => {
            let text = options.text("an interval in quotes, such as #[periodic(\"15s\")]", problems);
            let period = text.and_then(|(text, span)| {
                let period = problems.keep(options::duration("the interval", &text, span))?;
                if period < SHORTEST {
                    problems.here(span, "the interval must be at least 1 ms");
                    return None;
                }
                Some(period)
            });
            calls.extend(settings::timeout(options, problems));
            calls.extend(settings::start_after(options, problems));
            calls.extend(settings::overlap(options, problems));
            (
                period.map(|period| Kind::Periodic { period }),
                "an interval, blocking, timeout, start_after, overlap, layer",
            )
        }
        Word::Cron => {
            let kind = cron(options, problems);
            calls.extend(settings::timeout(options, problems));
            calls.extend(settings::overlap(options, problems));
            (kind, "an expression, blocking, timezone, timeout, overlap, layer")
        }
        Word::PreStart | Word::PostStart | Word::PreStop => {
            calls.extend(settings::timeout(options, problems));
            let kind = match word {
                Word::PreStart => Kind::PreStart,
                Word::PostStart => Kind::PostStart,
                _ => Kind::PreStop,
            };
            (Some(kind), "a moment, timeout, layer")
        }
        Word::Server => (Some(Kind::Server), "layer"),
    };
    calls.extend(settings::layers(options, problems));
    all.finish(known, problems);
    kind.map(|kind| (kind, calls))
}

fn cron(options: &mut Options, problems: &mut Problems) -> Option<Kind> {
    let expression = options.text("an expression in quotes, such as #[cron(\"0 */4 * * *\")]", problems);
    let zone = options.string("timezone", "the name of a time zone, such as \"Europe/Berlin\"", problems);
    let (expression, span) = expression?;
    let (zone, zone_span) = zone.unwrap_or_else(|| ("UTC".to_owned(), span));
    // An expression that is right in UTC can only be wrong because of its zone.
    let right_in_utc = formicary_protocol::Cron::parse_in(&expression, "UTC").is_ok();
    if let Err(error) = formicary_protocol::Cron::parse_in(&expression, &zone) {
        problems.here(if right_in_utc { zone_span } else { span }, error);
        return None;
    }
    Some(Kind::Cron { expression, zone })
}
