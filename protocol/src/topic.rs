//! Topics: which queues of an exchange get a message.
//!
//! A topic is words parted by dots, such as `user.created`. In the pattern of a queue `*` is any one word, and `#` any number
//! of words, also none. Both mean that only where they are a whole word: `user*` is itself. This is how AMQP 0-9-1 has it.

use crate::Error;
use crate::glob::{Part, stands_for};
use crate::text::{MAX_QUOTED, shorten};

/// The longest topic and the longest pattern, in bytes: the length that AMQP can carry.
pub const MAX_TOPIC: usize = 255;

/// Whether a pattern of a queue holds a topic.
///
/// ```
/// use formicary_protocol::topic_matches;
///
/// assert!(topic_matches("user.*", "user.created"));
/// assert!(!topic_matches("user.*", "user.name.changed"));
/// assert!(topic_matches("user.#", "user.name.changed"));
/// assert!(topic_matches("user.#", "user"));
/// ```
#[must_use]
pub fn topic_matches(pattern: &str, topic: &str) -> bool {
    let pattern: Vec<_> = words(pattern)
        .map(|word| match word {
            "*" => Part::Any,
            "#" => Part::Run,
            word => Part::Same(word),
        })
        .collect();
    stands_for(&pattern, &words(topic).collect::<Vec<_>>())
}

/// An empty topic has no word at all, as on RabbitMQ.
fn words(topic: &str) -> impl Iterator<Item = &str> {
    topic.split('.').filter(move |_| !topic.is_empty())
}

/// Checks a topic, or the pattern of a queue.
///
/// # Errors
///
/// [`Error::Name`] when it is longer than [`MAX_TOPIC`] bytes.
pub fn check_topic(topic: &str) -> Result<(), Error> {
    if topic.len() <= MAX_TOPIC {
        return Ok(());
    }
    let problem = format!("has {} bytes: at most {MAX_TOPIC} are allowed", topic.len());
    Err(Error::Name { what: "topic", name: shorten(topic, MAX_QUOTED), problem })
}
