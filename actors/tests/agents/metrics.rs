use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder};
use formicary_actors::events::EventKind;
use formicary_actors::group::AgentOptions;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use super::common::*;

/// What this process has measured: one recorder serves all tests, which know their agents by name.
static SHEET: LazyLock<()> = LazyLock::new(|| metrics::set_global_recorder(Sheet).unwrap());
static CELLS: Mutex<BTreeMap<String, Cell>> = Mutex::new(BTreeMap::new());

struct Sheet;

/// One instrument: its type, the sum of what it was told, and how often.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cell {
    what: &'static str,
    sum: f64,
    times: usize,
}

struct Writer(String);

fn cells() -> MutexGuard<'static, BTreeMap<String, Cell>> {
    CELLS.lock().unwrap()
}

impl Writer {
    fn new(what: &'static str, key: &Key) -> Arc<Self> {
        let labels: BTreeMap<_, _> = key.labels().map(|label| (label.key(), label.value())).collect();
        let labels: Vec<_> = labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        cells().entry(name.clone()).or_default().what = what;
        Arc::new(Self(name))
    }

    fn add(&self, value: f64) {
        let mut cells = cells();
        let cell = cells.get_mut(&self.0).unwrap();
        cell.sum += value;
        cell.times += 1;
    }
}

impl CounterFn for Writer {
    fn increment(&self, value: u64) {
        self.add(u32::try_from(value).unwrap().into());
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Writer {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, _: f64) {}
}

impl HistogramFn for Writer {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl Recorder for Sheet {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Writer::new("counter", key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Writer::new("gauge", key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Writer::new("histogram", key))
    }
}

/// What was measured of an agent, by name and labels.
fn of(agent: &str) -> BTreeMap<String, Cell> {
    let label = format!(" agent={agent} ");
    cells().iter().filter(|(name, _)| name.contains(&label)).map(|(name, cell)| (name.clone(), cell.clone())).collect()
}

struct Measured;

impl Agent for Measured {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .receiver("hear", async |_: &Self, ping: Ping, ()| match ping.n {
                0 => Ok(()),
                1 => Err("no"),
                2 => {
                    std::future::pending::<()>().await;
                    Ok(())
                }
                _ => panic!("three"),
            })
            .timeout(Duration::from_secs(2));
        agent.server("serve", async |_: formicary_actors::agent::Handle<Self>, ()| std::future::pending::<()>().await);
    }
}

#[actix::test]
async fn each_run_is_measured_by_its_outcome() {
    LazyLock::force(&SHEET);
    let stage = Stage::memory();
    let options = AgentOptions::new().name("measured");
    let group = stage.group().metrics(true).agent_with(options, || Measured).start().await.unwrap();
    let labels = "agent=measured handler=hear kind=receiver";
    let cell = |name: &str, more: &str| of("measured").remove(&format!("formicary_{name} {labels}{more}"));
    group.bus().publish("test", &Ping { n: 2 }).await.unwrap();
    until(SOON, "a run", async || cell("handlings_running", "").is_some_and(|running| running.sum == 1.0)).await;
    for n in [0, 1] {
        group.bus().publish("test", &Ping { n }).await.unwrap();
    }
    until(SOON, "the timeout", async || group.events().count(EventKind::Failed) == 2).await;
    group.bus().publish("test", &Ping { n: 3 }).await.unwrap();
    until(SOON, "the crash", async || group.events().count(EventKind::Restarted) == 1).await;
    for outcome in ["ok", "failed", "timeout", "panicked"] {
        let ended = cell("handlings_total", &format!(" outcome={outcome}")).unwrap();
        assert_eq!((ended.what, ended.sum), ("counter", 1.0), "{outcome}");
    }
    let took = cell("handling_seconds", "").unwrap();
    assert_eq!((took.what, took.times), ("histogram", 4));
    assert!((2.0..2.1).contains(&took.sum), "only one of them took time, the timeout: {took:?}");
    let waited = cell("handling_wait_seconds", "").unwrap();
    assert_eq!((waited.what, waited.times), ("histogram", 4));
    // A run that is aborted has an end too.
    group.bus().publish("test", &Ping { n: 2 }).await.unwrap();
    until(SOON, "a run", async || cell("handlings_running", "").is_some_and(|running| running.sum == 1.0)).await;
    group.stop_within(Duration::from_millis(100)).await;
    for (name, cell) in of("measured").iter().filter(|(name, _)| name.starts_with("formicary_handlings_running")) {
        assert_eq!((cell.what, cell.sum), ("gauge", 0.0), "{name}");
    }
    held_against_the_document();
}

/// `docs/metrics.md` names what there is, with type and labels, and nothing else.
fn held_against_the_document() {
    let document = include_str!("../../../docs/metrics.md");
    let row = |line: &str| -> Option<(String, (String, String))> {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let [_, name, what, labels, ..] = &*cells else { return None };
        name.starts_with("formicary_").then(|| (name.clone(), (what.clone(), labels.clone())))
    };
    let documented: BTreeMap<_, _> = document.lines().filter_map(row).collect();
    let measured = of("measured").into_iter().map(|(key, cell)| {
        let (name, labels) = key.split_once(' ').unwrap();
        let labels: Vec<_> =
            labels.split(' ').filter_map(|label| label.split_once('=')).map(|(name, _)| name).collect();
        (name.to_owned(), (cell.what.to_owned(), labels.join(", ")))
    });
    assert_eq!(documented, measured.collect());
}

#[actix::test]
async fn nothing_is_measured_unless_it_is_asked_for() {
    LazyLock::force(&SHEET);
    let stage = Stage::memory();
    let options = AgentOptions::new().name("unmeasured");
    let group = stage.group().agent_with(options, || Measured).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 0 }).await.unwrap();
    until(SOON, "the handling", async || group.events().count(EventKind::Handled) == 1).await;
    assert_eq!(of("unmeasured").len(), 0);
    group.stop().await;
}
