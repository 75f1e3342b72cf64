//! Channel names: where a signal, a call or an answer travels.
//!
//! | what | channel |
//! |---|---|
//! | signal | `{prefix}:{signal}:{sender}` |
//! | call | `{prefix}:{signal}:{sender}#{call}` |
//! | answer | `{prefix}:response:{responder}#{call}` |
//! | failed handlers of an answer | `{prefix}:response_error:{responder}#{call}` |

use crate::encoding::excerpt;
use crate::{Error, Prefix};

const ANSWER: &str = "response";
const ANSWER_ERROR: &str = "response_error";

/// A channel name, taken apart.
///
/// ```
/// use formicary_protocol::{Channel, Prefix};
///
/// let channel = Channel::parse(&Prefix::default(), b"PUBSUB:rpc_comments_count:user_agent#7f3a")?;
/// assert_eq!(
///     channel,
///     Channel::Signal { signal: "rpc_comments_count", sender: "user_agent", call: Some("7f3a") },
/// );
/// # Ok::<(), formicary_protocol::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel<'a> {
    /// A signal; with `call` its sender waits for answers.
    Signal {
        /// The name of the signal.
        signal: &'a str,
        /// Who sent it, in the sender's own words.
        sender: &'a str,
        /// The id of the call.
        call: Option<&'a str>,
    },
    /// The answer of one responder to one call.
    Answer {
        /// The uid of who answers.
        responder: &'a str,
        /// The id of the call.
        call: &'a str,
    },
    /// What failed in a responder's handlers; it comes before the answer.
    AnswerError {
        /// The uid of who answers.
        responder: &'a str,
        /// The id of the call.
        call: &'a str,
    },
}

impl<'a> Channel<'a> {
    /// Takes a channel name apart.
    ///
    /// Reading is lenient where others are careless: further `:` belong to the sender, and only the last `#` begins the
    /// id of a call.
    ///
    /// # Errors
    ///
    /// [`Error::Channel`] for bytes that are not UTF-8, a foreign prefix, an empty signal, sender, responder or
    /// call id, and an answer without a call id.
    pub fn parse(prefix: &Prefix, channel: &'a [u8]) -> Result<Self, Error> {
        take_apart(prefix.as_str(), channel).map_err(|problem| Error::Channel { channel: excerpt(channel), problem })
    }
}

fn take_apart<'a>(prefix: &str, channel: &'a [u8]) -> Result<Channel<'a>, &'static str> {
    let text = std::str::from_utf8(channel).map_err(|_| "is not UTF-8")?;
    let rest = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix(':'))
        .ok_or("does not begin with this bus's prefix")?;
    let (signal, rest) = rest.split_once(':').ok_or("has no sender")?;
    let (sender, call) = match rest.rsplit_once('#') {
        Some((sender, call)) => (sender, Some(call)),
        None => (rest, None),
    };
    if signal.is_empty() {
        return Err("has an empty signal name");
    }
    if sender.is_empty() {
        return Err("has an empty sender");
    }
    if call == Some("") {
        return Err("has an empty call id");
    }
    match (signal, call) {
        (ANSWER, Some(call)) => Ok(Channel::Answer { responder: sender, call }),
        (ANSWER_ERROR, Some(call)) => Ok(Channel::AnswerError { responder: sender, call }),
        (ANSWER | ANSWER_ERROR, None) => Err("is an answer without a call id"),
        _ => Ok(Channel::Signal { signal, sender, call }),
    }
}

/// The channel of a signal, or of a call when it has an id.
///
/// The parts are taken as they are: check them before with [`check_signal_name`](crate::check_signal_name) and
/// [`check_sender`](crate::check_sender).
#[must_use]
pub fn signal_channel(prefix: &Prefix, signal: &str, sender: &str, call: Option<&str>) -> String {
    match call {
        None => format!("{prefix}:{signal}:{sender}"),
        Some(call) => format!("{prefix}:{signal}:{sender}#{call}"),
    }
}

/// The pattern that a subscriber to a signal takes; it holds the calls too.
#[must_use]
pub fn signal_pattern(prefix: &Prefix, signal: &str) -> String {
    format!("{prefix}:{signal}:*")
}

/// The channel of an answer.
#[must_use]
pub fn answer_channel(prefix: &Prefix, responder_uid: &str, call_id: &str) -> String {
    format!("{prefix}:{ANSWER}:{responder_uid}#{call_id}")
}

/// The channel on which a responder first tells what failed. Python does not listen there.
#[must_use]
pub fn answer_error_channel(prefix: &Prefix, responder_uid: &str, call_id: &str) -> String {
    format!("{prefix}:{ANSWER_ERROR}:{responder_uid}#{call_id}")
}

/// The patterns that a caller takes: answers, and what failed.
#[must_use]
pub fn answer_patterns(prefix: &Prefix) -> [String; 2] {
    [format!("{prefix}:{ANSWER}:*"), format!("{prefix}:{ANSWER_ERROR}:*")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(channel: &str) -> Result<Channel<'_>, Error> {
        Channel::parse(&Prefix::default(), channel.as_bytes())
    }

    #[test]
    fn takes_careless_channels() {
        let signal = |sender, call| Ok(Channel::Signal { signal: "s", sender, call });
        assert_eq!(parse("PUBSUB:s:a"), signal("a", None));
        assert_eq!(parse("PUBSUB:s:a:b:c"), signal("a:b:c", None));
        assert_eq!(parse("PUBSUB:s:a#b#c"), signal("a#b", Some("c")));
        assert_eq!(parse("PUBSUB:s::#:"), signal(":", Some(":")));
        assert_eq!(parse("PUBSUB:response:u#1"), Ok(Channel::Answer { responder: "u", call: "1" }));
        assert_eq!(parse("PUBSUB:response_error:u#1"), Ok(Channel::AnswerError { responder: "u", call: "1" }));
    }

    #[test]
    fn refuses_what_says_nothing() {
        for bad in [
            "",
            "PUBSUB",
            "PUBSUB:",
            "PUBSUB:s",
            "PUBSUB:s:",
            "PUBSUB::a",
            "PUBSUB:s:#1",
            "PUBSUB:s:a#",
            "PUBSUBS:s:a",
            "OTHER:s:a",
            "pubsub:s:a",
            "PUBSUB:response:u",
            "PUBSUB:response:u#",
            "PUBSUB:response:#1",
            "PUBSUB:response_error:u",
        ] {
            assert!(parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(Channel::parse(&Prefix::default(), b"PUBSUB:s:\xff").is_err());
    }

    #[test]
    fn the_error_shows_the_channel_escaped() {
        let error = Channel::parse(&Prefix::default(), b"PUBSUB:s:\xff\n").expect_err("invalid UTF-8");
        assert_eq!(error.to_string(), r"the channel PUBSUB:s:\xff\n is not UTF-8");
    }

    #[test]
    fn patterns() {
        let prefix = Prefix::default();
        assert_eq!(signal_pattern(&prefix, "s"), "PUBSUB:s:*");
        assert_eq!(answer_patterns(&prefix), ["PUBSUB:response:*", "PUBSUB:response_error:*"]);
    }
}
