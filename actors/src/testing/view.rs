use formicary_protocol::{Bytes, CheckMode, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ledger::{Ledger, What};

/// What a ledger holds of one kind and name, and assertions about it whose panics show the whole ledger.
pub(super) struct View<'a> {
    pub(super) ledger: &'a Ledger,
    /// `bus` or `broker`.
    pub(super) place: &'static str,
    /// What was expected, as in "to be sent".
    pub(super) verb: &'static str,
    pub(super) is: fn(&What) -> bool,
    /// `None`: of any name.
    pub(super) name: Option<&'static str>,
}

impl View<'_> {
    fn bodies(&self) -> impl Iterator<Item = &Bytes> {
        let entries = self.ledger.entries().filter(|entry| (self.is)(&entry.what));
        entries.filter(|entry| self.name.is_none_or(|name| *entry.name == *name)).map(|entry| &entry.body)
    }

    #[track_caller]
    pub(super) fn all<T: DeserializeOwned>(&self) -> Vec<T> {
        self.bodies().map(|body| self.decoded(body)).collect()
    }

    #[track_caller]
    pub(super) fn once<T: DeserializeOwned>(&self) -> T {
        let mut bodies = self.bodies();
        match (bodies.next(), bodies.count()) {
            (Some(body), 0) => self.decoded(body),
            (first, others) => self.fail("once", usize::from(first.is_some()) + others),
        }
    }

    #[track_caller]
    pub(super) fn times(&self, times: usize) {
        let count = self.bodies().count();
        if count != times {
            self.fail(&counted(times), count);
        }
    }

    /// That an equal one is there: one of the same JSON.
    #[track_caller]
    pub(super) fn holds<T: Serialize>(&self, expected: &T) {
        let expected = match serde_json::to_value(expected) {
            Ok(expected) => expected,
            Err(error) => panic!("what is expected cannot be encoded: {error}"),
        };
        let is_equal =
            |body: &Bytes| decode::<serde_json::Value>(body, CheckMode::Off).is_ok_and(|it| it.value == expected);
        if !self.bodies().any(is_equal) {
            self.fail(&format!("as {expected}"), self.bodies().count());
        }
    }

    #[track_caller]
    fn decoded<T: DeserializeOwned>(&self, body: &Bytes) -> T {
        match decode::<T>(body, CheckMode::Off) {
            Ok(decoded) => decoded.value,
            Err(error) => panic!(
                "what stands on the {} does not decode into {}: {error}; recorded in order:\n{}",
                self.place,
                std::any::type_name::<T>(),
                self.ledger
            ),
        }
    }

    #[track_caller]
    fn fail(&self, how: &str, count: usize) -> ! {
        let (place, verb, ledger) = (self.place, self.verb, self.ledger);
        let what = self.name.map_or_else(|| "anything".to_owned(), |name| format!("`{name}`"));
        let was = match count {
            0 => "it was not".to_owned(),
            count => format!("it was {}", counted(count)),
        };
        panic!("expected {what} to be {verb} {how}, and {was}; recorded on the {place} in order:\n{ledger}")
    }
}

fn counted(times: usize) -> String {
    match times {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        times => format!("{times} times"),
    }
}

/// A value of a script.
#[track_caller]
pub(super) fn scripted<T: Serialize>(value: &T) -> serde_json::Value {
    match serde_json::to_value(value) {
        Ok(value) => value,
        Err(error) => panic!("the answer of a script cannot be encoded: {error}"),
    }
}

/// A message of a test.
#[track_caller]
pub(super) fn encoded<T: Serialize>(value: &T) -> Bytes {
    match encode(value) {
        Ok(body) => body,
        Err(error) => panic!("what the test sends cannot be encoded: {error}"),
    }
}
