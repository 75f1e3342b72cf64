//! Names that the wire can carry.

use crate::Error;
use crate::text::{MAX_QUOTED, shorten};

/// The longest queue name, in bytes: the length that AMQP can carry.
pub const MAX_QUEUE_NAME: usize = 255;

const GLOB: [char; 5] = ['*', '?', '[', ']', '\\'];
const RESERVED_SIGNALS: [&str; 2] = ["response", "response_error"];
const RESERVED_ENDS: [&str; 5] = [":delayed", ":dead", ":meta", ":leases", ":seen"];

/// What a prefix or a signal's name may not hold, since both stand in patterns.
pub(crate) fn forbidden_in_channel(name: &str) -> Option<String> {
    forbidden(name, |c| c == ':' || c == '#' || c.is_control() || GLOB.contains(&c))
}

fn forbidden(name: &str, refused: impl Fn(char) -> bool) -> Option<String> {
    if name.is_empty() {
        return Some("is empty: give it at least one character".to_owned());
    }
    let found = name.chars().find(|c| refused(*c))?;
    Some(format!("holds {found:?}, which a channel name cannot carry: leave it out"))
}

fn refuse(what: &'static str, name: &str, problem: Option<String>) -> Result<(), Error> {
    match problem {
        None => Ok(()),
        Some(problem) => Err(Error::Name { what, name: shorten(name, MAX_QUOTED), problem }),
    }
}

/// Checks who a signal says it comes from.
///
/// # Errors
///
/// [`Error::Name`] when the sender is empty or holds `:`, `#` or a control character. The first two end a
/// Python listener for good.
pub fn check_sender(sender: &str) -> Result<(), Error> {
    refuse("sender", sender, forbidden(sender, |c| c == ':' || c == '#' || c.is_control()))
}

/// Checks the name of a signal.
///
/// # Errors
///
/// [`Error::Name`] when the name is empty, holds `:`, `#`, a glob or a control character, or is `response` or
/// `response_error`, on which answers travel.
pub fn check_signal_name(name: &str) -> Result<(), Error> {
    let reserved = || {
        RESERVED_SIGNALS.contains(&name).then(|| "is reserved for the answers to calls: choose another name".to_owned())
    };
    refuse("signal name", name, forbidden_in_channel(name).or_else(reserved))
}

/// Checks the name of a queue.
///
/// # Errors
///
/// [`Error::Name`] when the name is empty, longer than [`MAX_QUEUE_NAME`] bytes, holds a control character, or
/// would meet the keys of another queue: an end of `:delayed`, `:dead`, `:meta`, `:leases` or
/// `:seen`, or `:taken:` anywhere.
pub fn check_queue_name(name: &str) -> Result<(), Error> {
    let problem = if name.is_empty() {
        Some("is empty: give it at least one character".to_owned())
    } else if name.len() > MAX_QUEUE_NAME {
        Some(format!("has {} bytes: at most {MAX_QUEUE_NAME} are allowed", name.len()))
    } else if let Some(control) = name.chars().find(|c| c.is_control()) {
        Some(format!("holds {control:?}: leave it out"))
    } else if name.contains(":taken:") || RESERVED_ENDS.iter().any(|end| name.ends_with(end)) {
        Some("looks like a key that Formicary keeps beside a queue: choose another name".to_owned())
    } else {
        None
    };
    refuse("queue name", name, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders() {
        for bad in ["", "a:b", "a#b", "a\nb", "\0"] {
            assert!(check_sender(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["user_agent", "*", "[x]", "агент", "a b"] {
            assert_eq!(check_sender(good), Ok(()));
        }
    }

    #[test]
    fn signal_names() {
        for bad in ["", "a:b", "a#b", "a*", "a?b", "[a", "a]", "a\\", "response", "response_error", "a\tb"] {
            assert!(check_signal_name(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["user_created", "responses", "Response", "a-b.c"] {
            assert_eq!(check_signal_name(good), Ok(()));
        }
    }

    #[test]
    fn queue_names() {
        let long = "q".repeat(MAX_QUEUE_NAME + 1);
        for bad in [
            "",
            "a\n",
            "mailer:dead",
            "mailer:delayed",
            "mailer:meta",
            "mailer:leases",
            "mailer:seen",
            "mailer:taken:1",
            long.as_str(),
        ] {
            assert!(check_queue_name(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["mailer", "a:b", "{tag}mailer", "dead", "a*"] {
            assert_eq!(check_queue_name(good), Ok(()));
        }
    }
}
