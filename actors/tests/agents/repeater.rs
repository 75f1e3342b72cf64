//! In memory only, with a paused clock: no adapter has a part in it.

use std::pin::Pin;
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Cx, Gone, Handle, TaskOutcome, Tasks};
use formicary_actors::events::{Event, EventKind};
use formicary_actors::group::Group;
use formicary_actors::{Backoff, Cancelled, Error, Repeater};
use tokio::time::{Instant, sleep};

use super::common::*;

type Script = fn(Log, Cx) -> Pin<Box<dyn Future<Output = ()>>>;

/// An agent with this server.
struct Polls(Log, Script);

impl Agent for Polls {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.server("poll", async |me: Handle<Self>, cx: Cx| -> Result<(), Gone> {
            let (log, script) = me.with(|me| (me.0.clone(), me.1)).await?;
            script(log.clone(), cx).await;
            log.add("ended");
            Ok(())
        });
        agent.pre_stop("end", async |me: &mut Self, ()| me.0.add("pre_stop"));
    }
}

async fn started(script: Script) -> (Group, Log) {
    let log = Log::default();
    let seen = log.clone();
    let group = Stage::memory().group().agent(move || Polls(seen.clone(), script)).start().await.unwrap();
    (group, log)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Milliseconds since then, in whole tens: each wait ends up to 1 ms late, at the next tick of the clock.
fn tens_since(begun: Instant) -> u128 {
    begun.elapsed().as_millis() / 10 * 10
}

/// 100 ms × 2ⁿ to 300 ms, without jitter.
const EXACT: Backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_millis(300), least: 1.0 };

#[actix::test]
async fn a_repeater_prepares_once_and_keeps_its_pace() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let begun = Instant::now();
            let prepare = async || {
                sleep(ms(10)).await;
                log.add("prepare");
                Ok::<_, Gone>(0)
            };
            let run = async |n: &mut u64| {
                *n += 1;
                log.add(format!("{n} at {}", tens_since(begun)));
                // The third takes longer than the pace.
                sleep(ms(if *n == 3 { 70 } else { 20 })).await;
            };
            Repeater::new("device").every(ms(50)).prepare(prepare).run(&cx, run).await;
        })
    })
    .await;
    until(SOON, "five runs", async || log.lines().len() >= 6).await;
    assert_eq!(log.lines()[..6], ["prepare", "1 at 10", "2 at 60", "3 at 110", "4 at 180", "5 at 230"]);
    assert_eq!(group.events().count(EventKind::RepeatFailed), 0);
    group.stop().await;
}

#[actix::test]
async fn what_fails_is_tried_again_after_a_pause_that_grows() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let begun = Instant::now();
            let now = move || tens_since(begun);
            let mut tries = 0;
            let prepare = async || {
                tries += 1;
                log.add(format!("prepare at {}", now()));
                if tries < 3 { Err("no device") } else { Ok(0) }
            };
            let run = async |n: &mut u32| {
                *n += 1;
                log.add(format!("{n} at {}", now()));
                match *n {
                    1..=4 => Err("no answer"),
                    5 => Ok(()),
                    6 => Err("no answer"),
                    _ => Err("gone"),
                }
            };
            Repeater::new("device").backoff(EXACT).prepare(prepare).run(&cx, run).await;
        })
    })
    .await;
    let mut events = group.events().listen();
    until(SOON, "all tries", async || log.lines().len() >= 10).await;
    let expected = [
        "prepare at 0",
        "prepare at 100",
        "prepare at 300",
        "1 at 300",
        "2 at 400",
        "3 at 600",
        "4 at 900",
        "5 at 1200",
        "6 at 1200",
        "7 at 1300",
    ];
    assert_eq!(log.lines()[..10], expected, "a good run begins the pauses anew");
    let failed = std::iter::from_fn(|| events.try_next()).filter_map(|event| match event {
        Event::RepeatFailed { agent, repeater, error } => Some(format!("{agent}.{repeater}: {error}")),
        _ => None,
    });
    assert!(failed.last().is_some_and(|failed| failed.starts_with("polls.device: ")));
    assert_eq!(group.events().count(EventKind::RepeatFailed), 2 + 4 + 2);
    group.stop().await;
}

#[actix::test]
async fn a_run_that_fails_at_once_never_spins() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let none = Backoff { first: Duration::ZERO, cap: Duration::ZERO, least: 0.0 };
            let run = async |_: &mut ()| {
                log.add("run");
                Err::<(), _>("no device")
            };
            Repeater::new("device").backoff(none).run(&cx, run).await;
        })
    })
    .await;
    let before = log.lines().len();
    sleep(ms(100)).await;
    let runs = log.lines().len() - before;
    assert!((50..=101).contains(&runs), "{runs} runs in 100 ms");
    group.stop().await;
}

#[actix::test]
async fn a_run_that_fails_is_not_repeated_before_its_time() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let begun = Instant::now();
            let short = Backoff { first: ms(1), cap: ms(1), least: 1.0 };
            let run = async |_: &mut ()| {
                log.add(format!("run at {}", tens_since(begun)));
                Err::<(), _>("no device")
            };
            Repeater::new("device").every(ms(50)).backoff(short).run(&cx, run).await;
        })
    })
    .await;
    until(SOON, "three runs", async || log.lines().len() >= 3).await;
    assert_eq!(log.lines()[..3], ["run at 0", "run at 50", "run at 100"]);
    group.stop().await;
}

#[actix::test]
async fn a_run_that_returns_at_once_starves_nobody() {
    let (group, log) =
        started(|log, cx| Box::pin(async move { Repeater::new("idle").run(&cx, async |_| log.add("run")).await }))
            .await;
    // Under a paused clock nothing would ever come after this if the runs left no pause.
    let before = log.lines().len();
    sleep(ms(10)).await;
    let runs = log.lines().len() - before;
    assert!((64..=64 * 11).contains(&runs), "{runs} runs in 10 ms");
    group.stop().await;
    assert_eq!(log.lines().into_iter().filter(|line| line != "run").collect::<Vec<_>>(), ["ended", "pre_stop"]);
}

#[actix::test]
async fn a_repeater_may_cancel_itself_in_either_half() {
    #[derive(Debug, thiserror::Error)]
    #[error("the device was unplugged")]
    struct Unplugged(#[source] Cancelled);

    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let prepare = async || Err::<(), _>(Cancelled);
            Repeater::new("one").prepare(prepare).run(&cx, async |_| log.add("never")).await;
            log.add("one");
            let mut n = 0;
            let run = async |_: &mut ()| {
                n += 1;
                if n < 3 { Ok(()) } else { Err(Unplugged(Cancelled)) }
            };
            Repeater::new("two").run(&cx, run).await;
            log.add(format!("two after {n}"));
        })
    })
    .await;
    until(SOON, "the end", async || log.count("ended") == 1).await;
    assert_eq!(log.lines(), ["one", "two after 3", "ended"]);
    assert_eq!(group.events().count(EventKind::RepeatFailed), 0);
    group.stop().await;
}

#[actix::test]
async fn a_run_that_has_begun_when_the_agent_stops_is_finished() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let run = async |_: &mut ()| {
                log.add("begun");
                sleep(Duration::from_secs(5)).await;
                log.add("done");
            };
            Repeater::new("slow").run(&cx, run).await;
        })
    })
    .await;
    until(SOON, "the run", async || log.count("begun") == 1).await;
    group.stop().await;
    assert_eq!(log.lines(), ["begun", "done", "ended", "pre_stop"]);
}

#[actix::test]
async fn a_run_that_hangs_is_cut_off_at_the_stop_deadline() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let run = async |_: &mut ()| {
                log.add("begun");
                std::future::pending::<()>().await;
            };
            Repeater::new("hangs").run(&cx, run).await;
        })
    })
    .await;
    until(SOON, "the run", async || log.count("begun") == 1).await;
    let begun = Instant::now();
    group.stop().await;
    assert!((Duration::from_secs(8)..=SOON).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(log.lines(), ["begun", "pre_stop"]);
}

#[actix::test]
async fn a_pause_of_a_repeater_does_not_hold_up_a_stop() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let run = async |_: &mut ()| log.add("run");
            Repeater::new("rare").every(Duration::from_secs(3_600)).run(&cx, run).await;
        })
    })
    .await;
    until(SOON, "the run", async || log.count("run") == 1).await;
    let begun = Instant::now();
    group.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(log.lines(), ["run", "ended", "pre_stop"]);
}

#[actix::test]
async fn a_panic_in_a_repeater_is_a_crash_of_its_server() {
    let (group, log) = started(|log, cx| {
        Box::pin(async move {
            let first = log.lines().is_empty();
            log.add("server");
            let run = async |_: &mut ()| {
                sleep(ms(1)).await;
                if first {
                    panic!("in the run");
                }
                Err::<(), _>(Cancelled)
            };
            Repeater::new("device").run(&cx, run).await;
        })
    })
    .await;
    until(SOON, "the second instance", async || log.count("ended") == 1).await;
    assert_eq!(log.lines(), ["server", "server", "ended"]);
    assert_eq!(group.events().count(EventKind::Crashed), 1);
    group.stop().await;
}

struct InTasks(Log);

impl Agent for InTasks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("begin", async |me: &mut Self, (tasks,): (Tasks,)| {
            for (name, log) in [("cancelled", me.0.clone()), ("stopped", me.0.clone())] {
                let task = tasks.spawn_with(name, async move |cx: Cx| {
                    Repeater::new(name)
                        .run(&cx, async |_| {
                            sleep(ms(500)).await;
                            log.add(name);
                        })
                        .await;
                })?;
                if name == "cancelled" {
                    sleep(ms(700)).await;
                    task.cancel();
                    assert_eq!(task.await, TaskOutcome::Cancelled);
                } else {
                    drop(task);
                }
            }
            Ok::<_, Error>(())
        });
        agent.pre_stop("end", async |me: &mut Self, ()| me.0.add("pre_stop"));
    }
}

#[actix::test]
async fn a_repeater_in_a_task_ends_with_it() {
    let log = Log::default();
    let seen = log.clone();
    let group = Stage::memory().group().agent(move || InTasks(seen.clone())).start().await.unwrap();
    sleep(ms(100)).await;
    group.stop().await;
    assert_eq!(log.lines(), ["cancelled", "stopped", "pre_stop"], "what ran at the stop was finished");
}
