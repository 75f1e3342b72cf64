//! Why settings do not decode, told without any value.

use std::fmt;

use formicary_protocol::__private::nearest;
use serde::de::{Error, Expected, Unexpected};
use serde_json::Value;

use super::path::{Path, shown};

/// The error of the reader. Its text never holds a value, since settings hold secrets.
#[derive(Debug)]
pub(super) struct Refusal {
    problem: Problem,
    place: Option<String>,
}

#[derive(Debug)]
enum Problem {
    /// Ours, or made from types and names only.
    Plain(String),
    /// A setting is missing at the place.
    Missing(&'static str),
    /// The words of the user's type, which may repeat the value.
    Theirs(String),
}

impl Refusal {
    /// The same with its place; the innermost place stays.
    pub(super) fn at(mut self, path: &Path<'_>, value: &Value) -> Self {
        if self.place.is_some() {
            return self;
        }
        if let Problem::Theirs(words) = &self.problem
            && repeats(words, value)
        {
            let withheld = "its type refuses the value (why is not shown: the text repeats the value)";
            self.problem = Problem::Plain(withheld.to_owned());
        }
        self.place = Some(path.to_string());
        self
    }

    pub(super) fn into_problem(self) -> String {
        let place = self.place.unwrap_or_default();
        match self.problem {
            Problem::Missing(name) if place.is_empty() => format!("setting `{name}` is missing"),
            Problem::Missing(name) => format!("setting `{place}.{name}` is missing"),
            Problem::Plain(text) | Problem::Theirs(text) if place.is_empty() => format!("the settings: {text}"),
            Problem::Plain(text) | Problem::Theirs(text) => format!("setting `{place}`: {text}"),
        }
    }
}

/// An unknown setting, with what may have been meant.
pub(super) fn unknown(path: &Path<'_>, key: &str, known: &[&str]) -> String {
    let text = format!("setting `{path}` is unknown");
    match nearest(key, known) {
        Some(near) => format!("{text}: did you mean `{near}`?"),
        None => format!("{text}: {}", known_ones(known)),
    }
}

fn known_ones(known: &[&str]) -> String {
    match known {
        [] => "none is known here".to_owned(),
        known => format!("known here: {}", listed(known)),
    }
}

fn listed(names: &[&str]) -> String {
    const MOST: usize = 12;
    let shown: Vec<_> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether the words of an error hold a value, or four letters in a row of it: a secret, or a part of one.
fn repeats(words: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => repeats_text(words, text),
        Value::Number(number) => repeats_text(words, &number.to_string()),
        Value::Array(items) => items.iter().any(|item| repeats(words, item)),
        Value::Object(entries) => entries.values().any(|value| repeats(words, value)),
        Value::Null | Value::Bool(_) => false,
    }
}

fn repeats_text(words: &str, text: &str) -> bool {
    const RUN: usize = 4;
    let words = words.to_lowercase();
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    match letters.len() {
        0 => false,
        1..=RUN => words.contains(&String::from_iter(letters)),
        _ => letters.windows(RUN).any(|run| words.contains(&String::from_iter(run))),
    }
}

impl Error for Refusal {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self { problem: Problem::Theirs(words.to_string()), place: None }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        plain(format!("expected {expected}, found {}", kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        plain(format!("expected {expected}, found {} that is none", kind(found)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        plain(format!("expected {expected}, found a length of {length}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        plain(format!("expected one of {}, found another word", listed(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let near = nearest(field, expected).map_or_else(|| known_ones(expected), |it| format!("did you mean `{it}`?"));
        plain(format!("the key `{}` is unknown: {near}", shown(field)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { problem: Problem::Missing(field), place: None }
    }

    fn duplicate_field(field: &'static str) -> Self {
        plain(format!("`{field}` is given twice, perhaps under another name"))
    }
}

fn plain(text: String) -> Refusal {
    Refusal { problem: Problem::Plain(text), place: None }
}

fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        Unexpected::Enum | Unexpected::UnitVariant => "a word",
        _ => "something else",
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.problem {
            Problem::Plain(text) | Problem::Theirs(text) => text,
            Problem::Missing(name) => name,
        })
    }
}

impl std::error::Error for Refusal {}
