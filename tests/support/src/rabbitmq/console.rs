//! Asks a node without `rabbitmqctl`, which takes a second each time: the node itself reads Erlang from its stdin.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::process::Child;

/// What the node runs once it has booted. It ends when its stdin closes.
pub(super) const LOOP: &str = r#"
    spawn(fun() ->
        Answer = fun(Text) ->
            {ok, Tokens, _} = erl_scan:string(Text),
            {ok, Exprs} = erl_parse:parse_exprs(Tokens),
            case erl_eval:exprs(Exprs, erl_eval:new_bindings()) of
                {value, {json, Json}, _} -> rabbit_json:encode(Json);
                {value, Value, _} -> io_lib:format("~0tp", [Value])
            end
        end,
        Loop = fun Loop() ->
            case io:get_line(user, "") of
                Line when is_list(Line); is_binary(Line) ->
                    [Number, Text] = string:split(Line, " "),
                    Said = try ["ok ", Answer(unicode:characters_to_list(Text))]
                           catch _:Why -> ["error ", io_lib:format("~0tp", [Why])] end,
                    io:format(user, "~nconsole ~ts ~ts~n", [Number, Said]),
                    Loop();
                _ -> erlang:halt(1, [{flush, false}])
            end
        end,
        io:format(user, "~nconsole ready~n", []),
        Loop()
    end).
"#;

pub(super) const READY: &str = "console ready";
const ANSWER: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(super) struct Console {
    last: AtomicU64,
}

impl Console {
    /// The value of an Erlang expression, as Erlang writes it.
    #[track_caller]
    pub(super) fn ask(&self, node: &Child, expression: &str) -> impl Future<Output = Result<String, String>> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let sent = node.send_line(&format!("{number} {}.", line.trim_end_matches('.')));
        let start = format!("console {number} ");
        let said = node.wait_stdout(
            {
                let start = start.clone();
                move |line| line.starts_with(&start)
            },
            ANSWER,
        );
        async move {
            sent.map_err(|error| error.to_string())?;
            let said = said.await;
            match said[start.len()..].split_once(' ') {
                Some(("ok", value)) => Ok(value.to_owned()),
                Some((_, why)) => Err(why.to_owned()),
                None => Err(said),
            }
        }
    }
}

/// A text as an Erlang binary.
pub(super) fn binary(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    // Each byte that the node reads as a number costs it a kilobyte or more: a megabyte of them would fill its memory.
    if let [first, rest @ ..] = text
        && rest.iter().all(|byte| byte == first)
    {
        return format!("binary:copy(<<{first}>>, {})", text.len());
    }
    let bytes: Vec<String> = text.iter().map(|byte| byte.to_string()).collect();
    format!("<<{}>>", bytes.join(","))
}

/// What an expression `{json, …}` yielded.
pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("RabbitMQ told no JSON ({error}): {text}"))
}
