use formicary_actors::Error;
use formicary_actors::agent::{Agent, AgentBuilder, Cx, Settings};
use formicary_actors::group::AgentOptions;
use serde::Deserialize;
use serde_json::json;

use super::common::*;

on_each! {
    settings_are_decoded_into_the_types_that_handlers_ask_for,
    settings_that_an_extractor_cannot_decode_refuse_the_start,
    settings_that_a_hook_cannot_decode_fail_the_start,
}

#[derive(Debug, Deserialize)]
struct Config {
    smtp: Smtp,
}

#[derive(Debug, Deserialize)]
struct Smtp {
    port: u16,
}

struct Mailer(Log);

impl Agent for Mailer {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("connect", async |me: &mut Self, (config, cx): (Settings<Config>, Cx)| {
            me.0.add(format!("{} {}", config.smtp.port, cx.settings_value()));
        });
    }
}

struct Late;

impl Agent for Late {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.name("mailer");
        agent.pre_start("connect", async |_: &mut Self, cx: Cx| cx.settings::<Config>().map(drop));
    }
}

async fn settings_are_decoded_into_the_types_that_handlers_ask_for(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let options = AgentOptions::new().settings(json!({"smtp": {"port": 25}}));
    let group = stage.group().agent_with(options, move || Mailer(seen.clone())).start().await.unwrap();
    assert_eq!(log.lines(), [r#"25 {"smtp":{"port":25}}"#]);
    group.stop().await;
}

async fn settings_that_an_extractor_cannot_decode_refuse_the_start(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let options = AgentOptions::new().settings(json!({"smtp": {"prot": "hunter2"}}));
    let error = stage.group().agent_with(options, move || Mailer(seen.clone())).start().await.unwrap_err();
    let Error::Misfit { agent, problems } = &error else { panic!("{error:?}") };
    assert_eq!((agent.as_str(), problems.len()), ("mailer", 1));
    for part in
        ["`connect`: its settings", "setting `smtp.port` is missing", "`smtp.prot` is unknown: did you mean `port`?"]
    {
        assert!(problems[0].contains(part), "{problems:?}");
    }
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(log.lines(), Vec::<String>::new(), "nothing of it ran");
}

async fn settings_that_a_hook_cannot_decode_fail_the_start(stage: &Stage) {
    let options = AgentOptions::new().settings(json!({"smtp": {"port": "hunter2"}}));
    let error = stage.group().agent_with(options, || Late).start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "agent `mailer` cannot start: its `connect` failed: agent `mailer`: setting `smtp.port`: expected u16, found a \
         string (given in AgentOptions::settings)"
    );
}
