//! The first word of every channel.

use std::fmt;
use std::sync::Arc;

use crate::Error;
use crate::names::forbidden_in_channel;
use crate::text::{MAX_QUOTED, shorten};

/// The prefix that keeps the channels of one cluster apart from those of others on the same server.
///
/// The default is `PUBSUB`, as in Python `microagent`. Cloning is cheap.
///
/// ```
/// use formicary_protocol::Prefix;
///
/// assert_eq!(Prefix::default().as_str(), "PUBSUB");
/// assert_eq!(Prefix::new("MYAPP")?.as_str(), "MYAPP");
/// assert!(Prefix::new("MY:APP").is_err());
/// # Ok::<(), formicary_protocol::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Takes a prefix.
    ///
    /// # Errors
    ///
    /// [`Error::Prefix`] when it is empty or holds `:`, `#`, a glob character (`*`, `?`, `[`, `]`, `\`) or a
    /// control character, or begins with `__key`.
    pub fn new(prefix: &str) -> Result<Self, Error> {
        // A Redis client takes channels that begin so for notifications of the keyspace.
        let problem = prefix.starts_with("__key").then(|| "begins with __key, as Redis's own channels do".to_owned());
        match forbidden_in_channel(prefix).or(problem) {
            None => Ok(Self(prefix.into())),
            Some(problem) => Err(Error::Prefix { prefix: shorten(prefix, MAX_QUOTED), problem }),
        }
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("PUBSUB".into())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::str::FromStr for Prefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_a_pattern_would_misread() {
        for bad in ["", "a:b", "a#b", "a*", "a?", "[a", "a]", "a\\b", "a\n", "\u{7f}"] {
            assert!(Prefix::new(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["PUBSUB", "my app", "приложение", "a.b-c_d"] {
            assert_eq!(Prefix::new(good).map(|p| p.to_string()).as_deref(), Ok(good));
        }
    }

    #[test]
    fn the_error_names_the_character() {
        let error = Prefix::new("a*").expect_err("a glob character");
        assert_eq!(error.to_string(), r#"the prefix "a*" holds '*', which a channel name cannot carry: leave it out"#);
    }
}
