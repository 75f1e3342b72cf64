use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A boxed error of any kind, as handlers return them.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong when agents are declared, started, run and stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A declaration, a name or a body is wrong.
    #[error(transparent)]
    Protocol(#[from] formicary_protocol::Error),
    /// A message to a bus or queue was not sent, or perhaps not.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A call was not answered as asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An agent does not fit the declarations, the bus or the broker that it was given.
    #[error("agent `{agent}` cannot start:\n{}", bullets(.problems))]
    Misfit {
        /// The agent.
        agent: String,
        /// Every problem, each with its cure.
        problems: Vec<String>,
    },
    /// The settings that an agent was given do not fit the type that it asks for.
    #[error("agent `{agent}`: {}", settings(.problems))]
    AgentSettings {
        /// The agent.
        agent: String,
        /// Every problem with its key, and no value: settings hold secrets.
        problems: Vec<String>,
    },
    /// A bound has been met.
    #[error("{what}: there may be {limit} at once")]
    TooMany {
        /// What was asked for.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// A hook failed, panicked or did not end in time.
    #[error("agent `{agent}` cannot start: its {place} failed: {message}")]
    Start {
        /// The agent.
        agent: String,
        /// The hook, with its name.
        place: String,
        /// What it said.
        message: String,
    },
    /// A server could not be reached, or refused us.
    #[error("{what} at {address}: {reason}")]
    Unreachable {
        /// `bus`, `broker` or `declarations`.
        what: &'static str,
        /// The address, without secrets.
        address: String,
        /// What happened and what to do.
        reason: String,
    },
    /// The pool of blocking handlers could not be started.
    #[error("the threads of blocking handlers could not be started: {source}")]
    Blocking {
        /// What the system said.
        source: std::io::Error,
    },
    /// What a server sent as declarations cannot be taken: it is too large, redirects too often, or is no text.
    #[error("declarations at {url}: {reason}")]
    Remote {
        /// The URL, without secrets.
        url: String,
        /// What came and what to do.
        reason: String,
    },
    /// Declarations could not be loaded from a server, and their cached copy cannot stand in.
    #[error("{cause}; nor can the cached copy {} stand in: {reason}", copy.display())]
    NoCachedCopy {
        /// What failed first.
        cause: Box<Error>,
        /// The path of the copy.
        copy: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A URL or another setting is wrong.
    #[error("{0}")]
    Settings(String),
    /// The adapter cannot do what was asked.
    #[error("the {adapter} adapter cannot {what}")]
    Unsupported {
        /// The adapter.
        adapter: &'static str,
        /// What was asked.
        what: String,
    },
    /// The server refused a command.
    #[error("{what}: the server refused it: {reason}")]
    Refused {
        /// What was tried.
        what: String,
        /// What the server said.
        reason: String,
    },
    /// Something that was needed has been stopped.
    #[error("{0} is closed: the group it belongs to has stopped")]
    Closed(&'static str),
    /// Something did not end in its time.
    #[error("{what} took longer than {}", human(.after))]
    Timeout {
        /// What.
        what: String,
        /// The time it had.
        after: Duration,
    },
    /// Agents need an actix system around them.
    #[error(
        "there is no actix System on this thread: start the group inside `#[actix::main]`, `#[actix::test]` or `System::new().block_on(..)`"
    )]
    NoSystem,
}

/// Why a publish or a send did not succeed, or not surely.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It was not sent, and will not be.
    #[error("not sent: {reason}")]
    NotSent {
        /// Why.
        reason: String,
    },
    /// The connection was lost, or the time ran out, after it was handed to the server: it may have been taken or not.
    #[error("it is unknown whether it was sent: {reason}")]
    Unknown {
        /// Why.
        reason: String,
    },
}

impl SendError {
    /// A `NotSent` for a reason.
    pub fn not_sent(reason: impl Into<String>) -> Self {
        Self::NotSent { reason: reason.into() }
    }

    /// An `Unknown` for a reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

/// Why a call brought no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No answer came in time.
    #[error("`{signal}`: no answer within {}", human(.after))]
    Timeout {
        /// The signal.
        signal: String,
        /// The time the call had.
        after: Duration,
    },
    /// Nobody subscribes to the signal.
    #[error("`{signal}`: nobody listens")]
    NobodyListening {
        /// The signal.
        signal: String,
    },
    /// The answering handler failed.
    #[error("`{signal}`: {handler} failed ({kind}): {message}")]
    Remote {
        /// The signal.
        signal: String,
        /// The handler, as `<Agent>.<method>`.
        handler: String,
        /// The kind of failure: `error`, `timeout`, `panic`, `stopped` and others.
        kind: String,
        /// What it said.
        message: String,
    },
    /// The answer holds only nulls: a Python agent sends that for errors too.
    #[error("`{signal}`: the answer of {responder} is empty")]
    Empty {
        /// The signal.
        signal: String,
        /// Who answered.
        responder: String,
    },
    /// The answer is not of the expected type.
    #[error("`{signal}`: the answer does not fit: {reason}")]
    Decode {
        /// The signal.
        signal: String,
        /// What does not fit, and where.
        reason: String,
    },
    /// The answering agent, or our own side, has too much to do.
    #[error("`{signal}`: overloaded: {reason}")]
    Overloaded {
        /// The signal.
        signal: String,
        /// Which bound was met.
        reason: String,
    },
    /// The bus lost its connection before an answer came.
    #[error("`{signal}`: disconnected: {reason}")]
    Disconnected {
        /// The signal.
        signal: String,
        /// What happened to the connection.
        reason: String,
    },
    /// The request was not published.
    #[error("`{signal}`: {source}")]
    NotSent {
        /// The signal.
        signal: String,
        /// Why.
        source: SendError,
    },
    /// The arguments cannot be sent.
    #[error("`{signal}`: {reason}")]
    Invalid {
        /// The signal.
        signal: String,
        /// What is wrong with them.
        reason: String,
    },
}

/// The error of a handler: any error, with its sources, as one type.
///
/// It is made from every `E: Into<Box<dyn Error + Send + Sync>>`, so `?` works on errors of std, of other crates,
/// on boxed errors and on `&str`. It is itself no [`std::error::Error`], which is what makes that possible.
pub struct HandlerError {
    source: BoxError,
    kind: &'static str,
}

impl HandlerError {
    /// What the handler returned.
    pub fn source(&self) -> &BoxError {
        &self.source
    }

    /// The word that a caller is told beside the message: `error`, `timeout`, `panic`, …
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn of_kind(kind: &'static str, message: impl Into<BoxError>) -> Self {
        Self { source: message.into(), kind }
    }
}

impl<E: Into<BoxError>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self { source: error.into(), kind: "error" }
    }
}

impl fmt::Display for HandlerError {
    /// The message with those of its sources behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut said = self.source.to_string();
        let mut source = self.source.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Many errors repeat their source in their own text.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerError({}: {self})", self.kind)
    }
}

/// What is wrong with an agent's settings, with the place where they were given.
pub(crate) fn settings(problems: &[String]) -> String {
    match problems {
        [problem] => format!("{problem} (given in AgentOptions::settings)"),
        problems => format!("its settings (given in AgentOptions::settings) do not fit:\n{}", bullets(problems)),
    }
}

fn bullets(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n")
}

fn human(duration: &Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1_000 { format!("{millis} ms") } else { format!("{} s", (millis as f64) / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_becomes_a_handler_error_and_keeps_its_sources() {
        fn io() -> Result<(), HandlerError> {
            Err(std::io::Error::other("disk"))?
        }
        fn text() -> Result<(), HandlerError> {
            Err("words")?
        }
        assert_eq!(io().unwrap_err().to_string(), "disk");
        assert_eq!(text().unwrap_err().to_string(), "words");
    }
}
