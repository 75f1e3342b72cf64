//! The signals of the vectors, and an agent that hears them and answers.

use formicary_actors::HandlerError;
use formicary_actors::agent::{Agent, AgentBuilder, AnySignal, SentBy};
use formicary_protocol::{Field, Signal, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

macro_rules! ask {
    ($name:ident, $wire:literal) => {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub(super) struct $name {
            pub(super) kind: Value,
        }

        impl Signal for $name {
            const NAME: &'static str = $wire;
            type Answer = Value;

            fn fields() -> Vec<Field> {
                vec![Field::of::<Value>("kind")]
            }
        }
    };
}

ask!(RpcOne, "rpc_one");
ask!(RpcTwo, "rpc_two");

/// The responder of the vectors. Where Python's answer is null for a value that it does not carry, so is this one.
pub(super) struct One;

impl Agent for One {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("on_one", async |_: &Self, ask: RpcOne, ()| -> Result<Value, HandlerError> {
            Ok(match ask.kind.as_str() {
                Some("str") => json!("строка"),
                Some("empty") => json!(""),
                Some("int") => json!(7),
                Some("true") => json!(true),
                Some("false") => json!(false),
                Some("raise") => Err("raised")?,
                _ => Value::Null,
            })
        });
        agent.receiver("first", async |_: &Self, _: RpcTwo, ()| Ok::<_, HandlerError>(json!(1)));
        agent.receiver("second", async |_: &Self, _: RpcTwo, ()| Ok::<_, HandlerError>(json!("two")));
    }
}

/// Hears every signal of the vectors: its name, who sent it, and its arguments.
pub(super) struct Hears(pub(super) mpsc::UnboundedSender<(String, String, Value)>);

impl Agent for Hears {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let signals = ["user_created", "empty", "rich"];
        agent.receiver_of(&signals, "hear", async |me: &Self, any: AnySignal, from: SentBy| {
            me.0.send((any.signal.to_string(), from.to_string(), any.arguments))
        });
    }
}
