use formicary_protocol::{CheckMode, Error as Malformed, Signal, Value, decode, encode};

use crate::error::Error;

/// The payload of a receiver of several signals: which one came, and its arguments as a value.
///
/// A receiver of one signal may take it, too, when it does not want a type.
///
/// ```
/// use formicary_actors::agent::{Agent, AgentBuilder, AnySignal};
/// # use formicary_protocol::{Field, Signal};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct UserCreated { user_id: u64 }
/// # impl Signal for UserCreated {
/// #     const NAME: &'static str = "user_created";
/// #     type Answer = serde_json::Value;
/// #     fn fields() -> Vec<Field> { vec![Field::of::<u64>("user_id")] }
/// # }
///
/// struct Audit;
///
/// impl Agent for Audit {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.receiver_of(&["user_*", "started"], "note", async |_: &Self, any: AnySignal, ()| {
///             if any.is::<UserCreated>() {
///                 println!("a user: {}", any.decode::<UserCreated>()?.user_id);
///             } else {
///                 println!("{}: {}", any.signal, any.arguments);
///             }
///             Ok::<_, formicary_actors::Error>(())
///         });
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AnySignal {
    /// The signal's name.
    pub signal: String,
    /// Its arguments, a JSON object.
    pub arguments: Value,
}

impl AnySignal {
    /// One of a type, for a unit test that calls a handler as a plain method.
    ///
    /// # Errors
    /// When JSON cannot hold the value.
    pub fn of<S: Signal>(signal: &S) -> Result<Self, Error> {
        let body = formicary_protocol::encode_signal(signal)?;
        Ok(Self { signal: S::NAME.to_owned(), arguments: decode::<Value>(&body, CheckMode::Off)?.value })
    }

    /// Whether it is the signal of a type.
    pub fn is<S: Signal>(&self) -> bool {
        self.signal == S::NAME
    }

    /// Reads the arguments into the type of the signal.
    ///
    /// # Errors
    /// When it is another signal, or when its arguments do not fit the type.
    pub fn decode<S: Signal>(&self) -> Result<S, Error> {
        if !self.is::<S>() {
            let problem = format!("the signal is `{}`: ask `is` before", self.signal);
            return Err(Malformed::Decode { subject: format!("the signal `{}`", S::NAME), problem }.into());
        }
        Ok(decode(&encode(&self.arguments)?, CheckMode::Off)?.value)
    }
}
