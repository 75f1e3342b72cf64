//! What stands in routing keys and in the ids of calls.
//!
//! A signal's routing key is `{signal}.{sender}`, each one word: what has a meaning in keys and bindings (`.`, `*`, `#`) and
//! `%` itself are percent-encoded.

use std::borrow::Cow;
use std::sync::Arc;

use lapin::types::ShortString;

use crate::connection::url::decode;

/// A name of AMQP, if it is not longer than the 255 bytes that the protocol can carry.
pub(super) fn name(what: &str, text: impl Into<String>) -> Result<ShortString, String> {
    ShortString::try_new(text)
        .map_err(|_| format!("{what} is longer than the 255 bytes that AMQP can carry: shorten the names in it"))
}

pub(super) fn routing_key(signal: &str, sender: &str) -> Result<ShortString, String> {
    let mut key = String::with_capacity(signal.len() + 1 + sender.len());
    push_word(&mut key, signal);
    key.push('.');
    push_word(&mut key, sender);
    name("the routing key (signal and sender, percent-encoded)", key)
}

/// What a subscriber to a signal is bound by.
pub(super) fn binding(signal: &str) -> Result<ShortString, String> {
    let mut key = String::with_capacity(signal.len() + 2);
    push_word(&mut key, signal);
    key.push_str(".*");
    name("the binding of the signal", key)
}

/// Signal and sender, or what is wrong with the key.
pub(super) fn take_apart(key: &str) -> Result<(Cow<'_, str>, Cow<'_, str>), &'static str> {
    let (signal, sender) = key.split_once('.').ok_or("has no sender")?;
    if sender.contains('.') {
        return Err("has more than two words: a `.` in a name is written %2E");
    }
    match (plain(signal)?, plain(sender)?) {
        (signal, _) if signal.is_empty() => Err("has an empty signal name"),
        (_, sender) if sender.is_empty() => Err("has an empty sender"),
        parts => Ok(parts),
    }
}

/// Where the answer to a call goes, and what it says there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReturnPath<'a> {
    /// To ourselves.
    Own { correlation: &'a str },
    /// To another's queue.
    Foreign { correlation: &'a str, reply_to: Cow<'a, str> },
}

/// The id under which a handler knows a call that another made: it holds the way back, since nothing else of a call
/// comes along with the answer. A call of our own keeps the id that it has here, which holds no `@`.
pub(super) fn foreign_call(correlation: &str, reply_to: &str) -> Arc<str> {
    let mut id = String::with_capacity(correlation.len() + 1 + reply_to.len());
    id.push_str(correlation);
    id.push('@');
    push_encoded(&mut id, reply_to, |byte| matches!(byte, b'@' | b'%'));
    id.into()
}

/// The way back of a call with such an id.
pub(super) fn return_path(call: &str) -> ReturnPath<'_> {
    match call.rsplit_once('@') {
        Some((correlation, reply_to)) => {
            // We wrote it.
            let reply_to = plain(reply_to).unwrap_or(Cow::Borrowed(reply_to));
            ReturnPath::Foreign { correlation, reply_to }
        }
        None => ReturnPath::Own { correlation: call },
    }
}

fn push_word(out: &mut String, word: &str) {
    push_encoded(out, word, |byte| matches!(byte, b'.' | b'*' | b'#' | b'%'));
}

fn push_encoded(out: &mut String, text: &str, is_special: impl Fn(u8) -> bool) {
    let mut rest = text;
    // All that is special is ASCII, so every cut is between characters.
    while let Some(at) = rest.bytes().position(&is_special) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        out.push_str(&format!("%{:02X}", from.as_bytes()[0]));
        rest = &from[1..];
    }
    out.push_str(rest);
}

fn plain(word: &str) -> Result<Cow<'_, str>, &'static str> {
    if !word.contains('%') {
        return Ok(Cow::Borrowed(word));
    }
    decode(word).map(Cow::Owned).ok_or("has a broken percent escape")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_word_each_and_come_back() {
        for (signal, sender, key) in [
            ("user_created", "user_agent", "user_created.user_agent"),
            ("a.b", "*", "a%2Eb.%2A"),
            ("100%", "#1", "100%25.%231"),
            ("größe", "日本", "größe.日本"),
        ] {
            assert_eq!(routing_key(signal, sender).unwrap().as_str(), key);
            assert_eq!(take_apart(key).unwrap(), (signal.into(), sender.into()));
        }
        assert_eq!(binding("a.b").unwrap().as_str(), "a%2Eb.*");
    }

    #[test]
    fn what_is_no_key_says_why() {
        for (key, why) in [
            ("", "no sender"),
            ("a", "no sender"),
            ("a.", "empty sender"),
            (".a", "empty signal"),
            ("a.b.c", "two words"),
            ("a.%zz", "escape"),
            ("a.%FF", "escape"),
        ] {
            assert!(take_apart(key).unwrap_err().contains(why), "{key}");
        }
    }

    #[test]
    fn a_key_of_255_bytes_fits_and_a_longer_one_is_an_error() {
        assert!(routing_key(&"s".repeat(127), &"a".repeat(127)).is_ok());
        assert!(routing_key(&"s".repeat(128), &"a".repeat(127)).unwrap_err().contains("255"));
        assert!(routing_key(&".".repeat(85), "a").is_err() && binding(&".".repeat(85)).is_err());
    }

    #[test]
    fn the_id_of_a_call_knows_the_way_back() {
        let own = |correlation| ReturnPath::Own { correlation };
        assert_eq!(return_path("7f3a"), own("7f3a"));
        for (correlation, reply_to) in [("7f3a", "amq.gen-x"), ("", "q"), ("a@b%40", "q@%"), ("@", "@")] {
            let call = foreign_call(correlation, reply_to);
            assert_eq!(return_path(&call), ReturnPath::Foreign { correlation, reply_to: reply_to.into() }, "{call}");
        }
    }
}
