use std::sync::Arc;

use super::{Extract, Needs};
use crate::agent::Invocation;
use crate::error::Error;

/// What the broker itself says of a message, as names and values: on RabbitMQ its exchange, its routing key, its headers. Which
/// there are stands in the pages of the adapters; Redis lists and memory have none.
///
/// It is an extractor, for consumers and for handlers of `on_exhausted`. A consumer of batches finds that of each message
/// at `item.delivery().metadata()`.
///
/// ```
/// use formicary_actors::agent::{Agent, AgentBuilder, Metadata};
/// # use formicary_protocol::{Field, Queue};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Mail { email: String }
/// # struct Mailer;
/// # impl Queue for Mailer {
/// #     const NAME: &'static str = "mailer";
/// #     type Message = Mail;
/// #     fn fields() -> Option<Vec<Field>> { None }
/// # }
///
/// struct Post;
///
/// impl Agent for Post {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.consumer::<Mailer, _, _, _, _>("deliver", async |_: &Self, mail: Mail, about: Metadata| {
///             println!("{} by {}", mail.email, about.get("routing_key").unwrap_or("no key"));
///         });
///     }
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(Arc<[(String, String)]>);

impl Metadata {
    pub(crate) fn of(pairs: &Arc<[(String, String)]>) -> Self {
        Self(pairs.clone())
    }

    /// The value of a name; of several with one name, the first.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// All names and values, in the adapter's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the broker says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// For a unit test that calls a handler as a plain method.
impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Extract for Metadata {
    fn needs(needs: &mut Needs) {
        needs.metadata = true;
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        match &invocation.delivery {
            Some(state) => Ok(Self::of(&state.delivered.metadata)),
            None => {
                let handler = invocation.handler();
                Err(Error::Settings(format!("`{handler}` has no message: `Metadata` is for consumers")))
            }
        }
    }
}
