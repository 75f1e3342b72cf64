use std::time::Duration;

use chrono::{TimeZone, Utc};
use formicary_actors::Clock;
use formicary_actors::agent::{Agent, AgentBuilder, Overlap, StartFlags};
use formicary_actors::events::EventKind;
use formicary_actors::group::{AgentOptions, Group};
use tokio::time::Instant;

use super::common::*;

/// Ticks and notes when.
struct Ticks {
    log: Log,
    begun: Instant,
    overlap: Overlap,
    takes: Duration,
}

impl Agent for Ticks {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent
            .periodic("tick", Duration::from_secs(10), async |me: &Self, ()| {
                me.log.add(format!("{}", me.begun.elapsed().as_secs()));
                tokio::time::sleep(me.takes).await;
            })
            .timeout(Duration::from_secs(1_000))
            .start_after(Duration::from_secs(3));
    }
}

/// The same with another overlap policy: options are part of the declaration, and the declaration knows no instance.
macro_rules! overlapping {
    ($name:ident, $overlap:expr) => {
        struct $name(Ticks);

        impl Agent for $name {
            fn declare(agent: &mut AgentBuilder<Self>) {
                agent
                    .periodic("tick", Duration::from_secs(10), async |me: &Self, ()| {
                        me.0.log.add(format!("{}", me.0.begun.elapsed().as_secs()));
                        tokio::time::sleep(me.0.takes).await;
                    })
                    .timeout(Duration::from_secs(1_000))
                    .overlap($overlap);
            }
        }
    };
}

overlapping!(Skips, Overlap::Skip);
overlapping!(Queues, Overlap::Queue);
overlapping!(Allows, Overlap::Allow);

fn ticks(log: &Log, takes: u64) -> Ticks {
    let takes = Duration::from_secs(takes);
    Ticks { log: log.clone(), begun: Instant::now(), overlap: Overlap::Skip, takes }
}

#[actix::test]
async fn a_period_begins_after_its_delay_and_keeps_its_grid() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || ticks(&seen, 1)).start().await.unwrap();
    until(Duration::from_secs(60), "four ticks", async || log.lines().len() == 4).await;
    assert_eq!(log.lines(), ["3", "13", "23", "33"]);
    assert_eq!(ticks(&log, 0).overlap, Overlap::default());
    group.stop().await;
}

#[actix::test]
async fn skip_leaves_out_what_is_due_while_the_one_before_runs() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Skips(ticks(&seen, 25))).start().await.unwrap();
    until(Duration::from_secs(100), "three ticks", async || log.lines().len() == 3).await;
    assert_eq!(log.lines(), ["0", "30", "60"]);
    assert_eq!(group.events().count(EventKind::TimerSkipped), 4);
    group.stop_within(Duration::from_millis(10)).await;
}

#[actix::test]
async fn queue_runs_one_after_another_and_bounds_what_waits() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Queues(ticks(&seen, 25))).start().await.unwrap();
    until(Duration::from_secs(100), "three ticks", async || log.lines().len() == 3).await;
    assert_eq!(log.lines(), ["0", "25", "50"]);
    until(Duration::from_secs(900), "a full queue", async || group.events().count(EventKind::TimerSkipped) > 0).await;
    let ran = log.lines().len();
    assert!((11..=18).contains(&ran), "16 wait behind the running one: {ran} ran");
    group.stop_within(Duration::from_millis(10)).await;
}

#[actix::test]
async fn allow_runs_beside_each_other() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Allows(ticks(&seen, 25))).start().await.unwrap();
    until(Duration::from_secs(100), "five ticks", async || log.lines().len() == 5).await;
    assert_eq!(log.lines(), ["0", "10", "20", "30", "40"]);
    assert_eq!(group.events().count(EventKind::TimerSkipped), 0);
    group.stop_within(Duration::from_millis(10)).await;
}

#[actix::test]
async fn a_stall_brings_one_tick_and_no_burst() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Skips(ticks(&seen, 0))).start().await.unwrap();
    until(SOON, "the first tick", async || log.lines().len() == 1).await;
    // Time passes without the arbiter being polled, as in a stall.
    tokio::time::advance(Duration::from_secs(95)).await;
    until(Duration::from_secs(6), "the late tick", async || log.lines().len() == 2).await;
    until(Duration::from_secs(6), "the next one", async || log.lines().len() == 3).await;
    let at: Vec<u64> = log.lines().iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!((at[0], at[2]), (0, 100), "back on the grid: {at:?}");
    group.stop().await;
}

struct Daily(Log);

impl Agent for Daily {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.cron_mut(
            "berlin",
            "30 2 * * *",
            "Europe/Berlin",
            async |me: &mut Self, cx: formicary_actors::agent::Cx| {
                me.0.add(cx.clock().now().format("%d %H:%M").to_string());
            },
        );
    }
}

async fn cron_days(year: i32, month: u32, day: u32, days: usize) -> Vec<String> {
    let log = Log::default();
    let seen = log.clone();
    let clock = Clock::counted(Utc.with_ymd_and_hms(year, month, day, 0, 0, 0).unwrap());
    let group = Group::builder().clock(clock).agent(move || Daily(seen.clone())).start().await.unwrap();
    let mut events = group.events().listen();
    while log.lines().len() < days {
        events.next().await.unwrap();
    }
    group.stop().await;
    log.lines()
}

#[actix::test]
async fn cron_runs_on_the_clock_of_its_group_in_its_zone() {
    tokio::time::pause();
    assert_eq!(cron_days(2026, 1, 10, 3).await, ["10 01:30", "11 01:30", "12 01:30"]);
}

#[actix::test]
async fn a_time_that_the_clock_skips_fires_after_the_gap_and_a_doubled_one_once() {
    tokio::time::pause();
    assert_eq!(cron_days(2026, 3, 28, 3).await, ["28 01:30", "29 01:00", "30 00:30"]);
    assert_eq!(cron_days(2026, 10, 24, 3).await, ["24 00:30", "25 00:30", "26 01:30"]);
}

struct BadCron;

impl Agent for BadCron {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.cron("never", "0 0 30 2 *", "UTC", async |_: &Self, ()| {});
        agent.cron("nowhere", "0 0 * * *", "Mars/Olympus", async |_: &Self, ()| {});
    }
}

#[actix::test]
async fn wrong_expressions_are_refused_at_start_all_at_once() {
    let error = Group::builder().agent(|| BadCron).start().await.unwrap_err().to_string();
    assert!(error.contains("`never`") && error.contains("`nowhere`"), "{error}");
}

#[actix::test]
async fn start_flags_leave_parts_out() {
    let stage = Stage::memory();
    let log = Log::default();
    let seen = log.clone();
    let mut flags = StartFlags::default();
    flags.timers = false;
    let options = AgentOptions::new().flags(flags);
    let group = stage.group().agent_with(options, move || Skips(ticks(&seen, 0))).start().await.unwrap();
    tokio::time::advance(Duration::from_secs(100)).await;
    tokio::task::yield_now().await;
    assert_eq!(log.lines().len(), 0);
    group.stop().await;
}
