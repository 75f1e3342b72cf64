//! What `info()` says, and that the documents say the same.

use std::collections::BTreeMap;
use std::time::Duration;

use formicary_actors::agent::{
    Agent, AgentBuilder, AgentInfo, Cx, Handle, HandlerCounts, Overlap, Publish, Push, ReceiverInfo, StartFlags,
};
use formicary_actors::group::{AgentOptions, Group, GroupInfo};
use formicary_actors::layers::layer;
use formicary_actors::registry::AgentState;
use formicary_actors::{Clock, HandlerError, Ids};
use serde_json::{Value, json};

use super::common::*;

on_each! {
    what_became_of_each_run_is_counted_for_its_handler,
    what_waits_and_what_is_dropped_is_counted_for_its_handler,
    an_agent_sees_its_own_info,
    agents_of_one_type_keep_what_is_their_own,
}

/// It has one of everything.
struct Postman;

impl Agent for Postman {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.layer(layer(async |_, next| next.run().await));
        agent.pre_start("connect", async |_: &mut Self, ()| {});
        let greet = async |_: &mut Self, ping: Ping, _: (Publish<Pong>, Push<Job>)| match ping.n {
            0 => Err("there is no user 0")?,
            _ => Ok::<_, HandlerError>(()),
        };
        agent.receiver_mut("greet", greet).rate(200.try_into().unwrap()).timeout(Duration::from_secs(5));
        agent.receiver("answer", async |_: &Self, ask: Ask, ()| Ok::<_, HandlerError>(ask.n));
        agent
            .blocking_consumer::<Job, Job, _, _, _>("deliver", |_, ()| {})
            .dedup_by(Duration::from_secs(600), |job: &Job| job.n);
        agent.on_exhausted::<Job, Job, _, _, _>("give_up", async |_: &Self, _, ()| {});
        let start_after = Duration::from_secs(3600);
        agent.periodic("collect", Duration::from_millis(1500), async |_: &Self, ()| {}).start_after(start_after);
        let report = async |_: &Self, ()| {};
        agent.cron("report", "0 8 * * MON", "Europe/Berlin", report).overlap(Overlap::Queue);
        agent.server("listen", async |_: Handle<Self>, cx: Cx| cx.stopping().await);
    }
}

/// A group whose `info()` is the same each time.
async fn sample() -> (Group, GroupInfo) {
    let stage = Stage::memory();
    let clock = Clock::counted("2026-01-01T09:00:00Z".parse().unwrap());
    let settings = json!({"host": "mail.example.org", "password": SECRET, "port": 587, "retries": [1, 5]});
    let mut flags = StartFlags::default();
    flags.messages = false;
    let options = AgentOptions::new().settings(settings).flags(flags);
    let group = stage.group().clock(clock).ids(Ids::seeded(7)).agent_with(options, || Postman).start().await.unwrap();
    for n in 0..3 {
        group.bus().publish("web", &Ping { n }).await.unwrap();
    }
    until(SOON, "the greetings", async || {
        let counts = greeter(&group.info().await.agents[0].info).handler.counts;
        counts.handled + counts.failed == 3
    })
    .await;
    let mut info = group.info().await;
    info.uptime = 12.5;
    info.formicary = "0.1.0";
    (group, info)
}

const SECRET: &str = "swordfish-31e0";

fn greeter(info: &AgentInfo) -> &ReceiverInfo {
    info.receivers.iter().find(|receiver| receiver.handler.name == "greet").unwrap()
}

/// The text of the first block of that language in `docs/info.md`.
fn block(language: &str) -> String {
    let text = document();
    let begin = format!("```{language}\n");
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("docs/info.md has no block of {language}"));
    rest.split_once("\n```").unwrap().0.to_owned()
}

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/info.md")).unwrap()
}

#[actix::test]
async fn the_documented_json_is_the_real_one() {
    let (group, info) = sample().await;
    let real = serde_json::to_value(&info).unwrap();
    let pretty = serde_json::to_string_pretty(&info).unwrap();
    let documented: Value = serde_json::from_str(&block("json")).unwrap_or_default();
    assert_eq!(documented, real, "docs/info.md has other JSON than\n{pretty}");
    group.stop().await;
}

#[actix::test]
async fn the_documented_text_is_the_real_one() {
    let (group, info) = sample().await;
    assert_eq!(block("text"), info.to_string(), "docs/info.md has another text than\n{info}");
    assert!(info.to_string().lines().all(|line| line.chars().count() <= 120), "a line is too long:\n{info}");
    group.stop().await;
}

/// Rows of the tables: a field's path and its type.
fn documented_fields() -> BTreeMap<String, String> {
    let text = document();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
        let (path, rest) = row.split_once('`').unwrap();
        (path.to_owned(), rest.split('|').nth(1).unwrap().trim().to_owned())
    });
    rows.collect()
}

/// Every path in it with the type of what is there. Keys of what is a map by its nature have one path between them.
fn fields(value: &Value, path: &str, into: &mut Vec<(String, &'static str)>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            items.iter().for_each(|item| fields(item, &format!("{path}[]"), into));
            "list"
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                let is_map = matches!(path, "counters" | "agents[].settings");
                let key = if is_map { "*" } else { key };
                fields(value, &if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }, into);
            }
            "object"
        }
    };
    if !path.is_empty() {
        into.push((path.to_owned(), kind));
    }
}

/// What is alike in several places stands in the tables once.
fn told_at(path: &str, documented: &BTreeMap<String, String>) -> String {
    for (same, one) in [("broker.", "bus."), ("settings.restart.", "agents[].restart.")] {
        if let Some(rest) = path.strip_prefix(same) {
            return format!("{one}{rest}");
        }
    }
    const HANDLERS: [&str; 6] = ["receivers", "consumers", "periodic", "cron", "hooks", "servers"];
    for handlers in HANDLERS {
        if let Some(rest) = path.strip_prefix(&format!("agents[].{handlers}[].")) {
            let common = format!("handler.{rest}");
            if documented.contains_key(&common) {
                return common;
            }
        }
    }
    path.to_owned()
}

#[actix::test]
async fn every_field_is_documented_with_its_type_and_no_other() {
    let (group, mut info) = sample().await;
    // The same a second time, with what is mostly absent.
    let mut other = serde_json::to_value(&info).unwrap();
    other["bus"]["connection"] = json!({"state": "down", "reason": "refused", "lasting": false});
    other["agents"][0]["last_crash"] = json!({"handler": "greet", "message": "boom"});
    other["agents"][0]["consumers"][0]["batch"] = json!({"most": 64, "wait": 0.1});
    info.broker = None;
    let mut real = Vec::new();
    fields(&serde_json::to_value(&info).unwrap(), "", &mut real);
    fields(&other, "", &mut real);
    let documented = documented_fields();
    let mut seen = BTreeMap::new();
    for (path, kind) in real {
        // An element of a list is told with its list.
        if path.ends_with("[]") {
            continue;
        }
        let path = told_at(&path, &documented);
        let Some(told) = documented.get(&path) else { panic!("`{path}` does not stand in docs/info.md") };
        assert!(told.split(" or ").any(|one| one.split(" of ").next() == Some(kind)), "`{path}` is {kind}, not {told}");
        seen.insert(path, ());
    }
    let extra: Vec<_> = documented.keys().filter(|path| !seen.contains_key(*path)).collect();
    assert!(extra.is_empty(), "docs/info.md has fields that do not exist: {extra:?}");
    group.stop().await;
}

#[actix::test]
async fn no_value_of_the_settings_is_in_info() {
    let (group, info) = sample().await;
    let agent = &info.agents[0];
    let json = serde_json::to_string(&info).unwrap();
    for text in [json, format!("{info}"), format!("{info:?}"), format!("{agent}"), format!("{:#}", agent.info)] {
        assert!(!text.contains(SECRET) && !text.contains("587"), "a setting is shown: {text}");
    }
    assert_eq!(agent.info.settings.get("password"), Some(&"string"));
    group.stop().await;
}

struct Erring(Log);

impl Agent for Erring {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("see", async |me: &mut Self, ping: Ping, ()| {
            me.0.add(ping.n.to_string());
            match ping.n {
                0 => Err("it is 0")?,
                1 => std::future::pending().await,
                2 => panic!("it is 2"),
                _ => Ok::<_, HandlerError>(()),
            }
        });
        agent.receiver("never", async |_: &Self, _: Pong, ()| {});
    }
}

async fn counts(group: &Group, handler: &str) -> HandlerCounts {
    let info = group.info().await.agents.remove(0).info;
    info.receivers.iter().find(|receiver| receiver.handler.name == handler).unwrap().handler.counts
}

async fn what_became_of_each_run_is_counted_for_its_handler(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Erring(seen.clone())).start().await.unwrap();
    // The panic comes before what never ends, since both want a write turn.
    for n in [0, 3, 4, 2, 5, 1] {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    // Over a crash the counts go on.
    until(SOON, "the last run", async || counts(&group, "see").await.running == 1 && log.count("1") == 1).await;
    let HandlerCounts { handled, failed, panicked, running, waiting, dropped, .. } = counts(&group, "see").await;
    assert_eq!((handled, failed, panicked), (3, 1, 1));
    assert_eq!((running, waiting, dropped), (1, 0, 0));
    assert_eq!(counts(&group, "never").await, HandlerCounts::default());
    let agent = group.info().await.agents.remove(0);
    assert_eq!((agent.state, agent.restarts), (AgentState::Running, 1));
    let stopped = group.stop_agents_within(Duration::from_millis(50)).await;
    stopped.close().await;
}

struct Full;

impl Agent for Full {
    fn declare(agent: &mut AgentBuilder<Self>) {
        let see = async |_: &mut Self, _: Ping, ()| std::future::pending::<()>().await;
        agent.receiver_mut("see", see).concurrency(std::num::NonZeroUsize::MIN).inbox(2.try_into().unwrap());
    }
}

async fn what_waits_and_what_is_dropped_is_counted_for_its_handler(stage: &Stage) {
    let group = stage.group().agent(|| Full).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 0 }).await.unwrap();
    until(SOON, "a run", async || counts(&group, "see").await.running == 1).await;
    for n in 1..6 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "the refusals", async || counts(&group, "see").await.dropped == 3).await;
    let HandlerCounts { handled, running, waiting, .. } = counts(&group, "see").await;
    assert_eq!((handled, running, waiting), (0, 1, 2));
    group.stop_within(Duration::from_millis(50)).await;
}

struct Curious(Log);

impl Agent for Curious {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("look", async |me: &Self, _: Ping, cx: Cx| {
            let info = cx.info();
            let HandlerCounts { handled, running, .. } = info.receivers[0].handler.counts;
            me.0.add(format!("{} of {}: {handled} handled, {running} running", info.name, info.uid == cx.uid()));
        });
    }
}

async fn an_agent_sees_its_own_info(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Curious(seen.clone())).start().await.unwrap();
    for n in 1..3 {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "both looks", async || log.lines().len() == 2).await;
    assert_eq!(log.lines(), ["curious of true: 0 handled, 1 running", "curious of true: 1 handled, 1 running"]);
    group.stop().await;
}

async fn agents_of_one_type_keep_what_is_their_own(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().start().await.unwrap();
    for (name, settings) in [("one", json!({"a": 1})), ("two", json!({"b": null, "c": true}))] {
        let seen = seen.clone();
        let options = AgentOptions::new().name(name).settings(settings);
        group.spawn_with(options, move || Curious(seen.clone())).await.unwrap();
    }
    let agents = group.info().await.agents;
    let [one, two] = [0, 1].map(|at| &agents[at].info);
    assert_eq!((&*one.name, &*two.name), ("one", "two"));
    assert_ne!(one.uid, two.uid);
    assert_eq!(one.settings, BTreeMap::from([("a".to_owned(), "number")]));
    assert_eq!(two.settings, BTreeMap::from([("b".to_owned(), "null"), ("c".to_owned(), "boolean")]));
    assert_eq!(one.receivers, two.receivers);
    group.stop().await;
}
