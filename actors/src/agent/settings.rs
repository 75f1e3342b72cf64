//! An agent's own settings, as a type of its own.

mod key;
mod path;
mod read;
mod refusal;

use std::ops::{Deref, DerefMut};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Extract, Invocation, Needs};
use crate::error::Error;
use read::read;

/// The settings that the agent was given, decoded into a type of the user's.
///
/// It is an extractor. A handler that asks for it makes the agent refuse to start when its settings do not decode, with
/// the key, what was expected and what was found. Values are never shown, since they may be secrets. A key that the type
/// does not have is refused too, with the nearest that it has; a type that takes everything has a
/// `#[serde(flatten)]` field.
///
/// The settings are decoded anew for each run of the handler. [`Cx::settings`](super::Cx::settings) decodes them where no
/// extractor stands.
///
/// ```
/// use formicary_actors::agent::{Agent, AgentBuilder, Settings};
/// use formicary_actors::group::{AgentOptions, Group};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Smtp {
///     host: String,
///     port: u16,
/// }
///
/// #[derive(Default)]
/// struct Mailer {
///     server: String,
/// }
///
/// impl Agent for Mailer {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.pre_start("connect", async |me: &mut Self, (smtp,): (Settings<Smtp>,)| {
///             me.server = format!("{}:{}", smtp.host, smtp.port);
///         });
///     }
/// }
///
/// # actix::System::new().block_on(async {
/// let settings = serde_json::json!({"host": "localhost", "port": "x"});
/// let start = Group::builder().agent_with(AgentOptions::new().settings(settings), Mailer::default).start().await;
/// let error = start.err().map(|error| error.to_string()).unwrap_or_default();
/// assert!(error.contains("setting `port`: expected u16, found a string"), "{error}");
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings<T>(pub T);

impl<T> Deref for Settings<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Settings<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: DeserializeOwned + 'static> Extract for Settings<T> {
    fn needs(needs: &mut Needs) {
        needs.settings::<T>();
    }

    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        invocation.cx.settings().map(Self)
    }
}

/// Decodes settings; `Err` has every problem that can be told, none with a value.
pub(crate) fn decode<T: DeserializeOwned>(settings: &Value) -> Result<T, Vec<String>> {
    let problems = match read(settings) {
        Ok(decoded) => return Ok(decoded),
        Err(problems) => problems,
    };
    if !settings.is_null() {
        return Err(problems);
    }
    // An agent that was given none has the defaults of its type, or is told which settings are missing.
    read(&Value::Object(Map::new()))
}

#[cfg(test)]
mod tests;
