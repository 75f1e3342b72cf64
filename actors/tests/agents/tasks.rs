use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use formicary_actors::agent::{Agent, AgentBuilder, Cx, Task, TaskOutcome, Tasks};
use formicary_actors::events::{Event, EventKind};
use formicary_actors::{Error, Limits};

use super::common::*;

on_each! {
    a_task_finishes_is_cancelled_or_panics_and_its_handle_says_which,
    a_stop_cancels_tasks_after_the_handlers_and_before_pre_stop,
    a_crash_ends_the_tasks_of_the_instance,
    a_start_that_fails_ends_the_tasks_it_had,
    a_task_that_listens_may_end_by_itself,
    no_more_tasks_live_than_may,
    the_error_of_a_detached_task_is_counted,
    a_task_that_panics_when_it_is_dropped_is_counted,
}

/// Says so when it is dropped.
struct Guard(Log, &'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add(self.1);
        if self.1 == "bomb" && !std::thread::panicking() {
            panic!("in the drop");
        }
    }
}

/// Never ends by itself, and is no `Send`.
async fn forever(guard: Guard) -> Rc<u64> {
    let _guard = guard;
    std::future::pending::<()>().await;
    Rc::new(0)
}

/// Handles that a test takes to its own task.
type Kept<T> = Arc<Mutex<Vec<Task<T>>>>;

struct Starter {
    kept: Kept<u64>,
    log: Log,
}

impl Agent for Starter {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("start", async |me: &Self, ping: Ping, (tasks,): (Tasks,)| {
            let local = Rc::new(ping.n);
            let log = me.log.clone();
            let task = match ping.n {
                1 => tasks.spawn("finishes", async move { *local + 1 })?,
                2 => tasks.spawn("waits", async move { *forever(Guard(log, "gone")).await })?,
                n => tasks.spawn("panics", async move { panic!("the task {n}") })?,
            };
            me.kept.lock().unwrap().push(task);
            Ok::<_, Error>(())
        });
    }
}

async fn a_task_finishes_is_cancelled_or_panics_and_its_handle_says_which(stage: &Stage) {
    let (kept, log) = (Kept::default(), Log::default());
    let (given, seen) = (kept.clone(), log.clone());
    let group = stage.group().agent(move || Starter { kept: given.clone(), log: seen.clone() }).start().await.unwrap();
    let mut events = group.events().listen();
    #[allow(clippy::async_yields_async, reason = "the task is awaited further down")]
    let next = async |n| {
        group.bus().publish("test", &Ping { n }).await.unwrap();
        until(SOON, "the handle", async || kept.lock().unwrap().pop()).await
    };
    assert_eq!(next(1).await.await, TaskOutcome::Finished(2));

    let waits = next(2).await;
    assert_eq!((waits.name(), waits.has_ended(), log.lines().len()), ("waits", false, 0));
    waits.cancel();
    assert_eq!(waits.await, TaskOutcome::Cancelled);
    assert_eq!(log.lines(), ["gone"], "its future was dropped before its outcome was known");

    assert_eq!(next(3).await.await, TaskOutcome::Panicked("the task 3".to_owned()));
    assert_eq!(group.events().count(EventKind::TaskPanicked), 1);
    assert_eq!(group.events().count(EventKind::Crashed), 0, "the agent lives");
    let panicked = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        Event::TaskPanicked { agent, task, .. } => Some(format!("{agent}.{task}")),
        _ => None,
    });
    assert_eq!(panicked.as_deref(), Some("starter.panics"));
    assert_eq!(next(1).await.await.finished(), Some(2));
    group.stop().await;
}

struct Ends(Log);

impl Agent for Ends {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("work", async |me: &Self, ping: Ping, (tasks,): (Tasks,)| {
            drop(tasks.spawn("waits", forever(Guard(me.0.clone(), "task gone")))?);
            let nap = tasks.spawn("nap", tokio::time::sleep(Duration::from_millis(200)))?;
            me.0.add("working");
            assert_eq!(nap.await, TaskOutcome::Finished(()), "handlers finish first, and tasks that they wait for");
            me.0.add("worked");
            if ping.n == 666 {
                panic!("the beast");
            }
            Ok::<_, Error>(())
        });
        agent.pre_stop("end", async |me: &mut Self, (tasks,): (Tasks,)| {
            me.0.add("pre_stop");
            let late = tasks.spawn("late", async {})?;
            assert_eq!(late.await, TaskOutcome::Cancelled);
            me.0.add("refused");
            Ok::<_, Error>(())
        });
    }
}

async fn a_stop_cancels_tasks_after_the_handlers_and_before_pre_stop(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Ends(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the work", async || log.count("working") == 1).await;
    group.stop().await;
    assert_eq!(log.lines(), ["working", "worked", "task gone", "pre_stop", "refused"]);
}

async fn a_crash_ends_the_tasks_of_the_instance(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Ends(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 666 }).await.unwrap();
    until(SOON, "the restart", async || group.events().count(EventKind::Restarted) == 1).await;
    assert_eq!(log.lines(), ["working", "worked", "task gone"]);
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the fresh instance", async || log.count("worked") == 2).await;
    group.stop().await;
}

struct Unready(Log);

impl Agent for Unready {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("begin", async |me: &mut Self, (tasks,): (Tasks,)| -> Result<(), Error> {
            // It holds the group that holds it.
            let (guard, itself) = (Guard(me.0.clone(), "gone"), tasks.clone());
            drop(tasks.spawn("waits", async move {
                forever(guard).await;
                drop(itself);
            })?);
            Err(Error::Settings("not today".to_owned()))
        });
    }
}

async fn a_start_that_fails_ends_the_tasks_it_had(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    stage.group().agent(move || Unready(seen.clone())).start().await.unwrap_err();
    until(SOON, "the end of the task", async || log.count("gone") == 1).await;
}

struct Listens(Log);

impl Agent for Listens {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.pre_start("begin", async |me: &mut Self, (tasks,): (Tasks,)| {
            let log = me.0.clone();
            drop(tasks.spawn_with("listens", async move |cx: Cx| {
                cx.stopping().await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                log.add("ended by itself");
            })?);
            let log = me.0.clone();
            drop(tasks.spawn_with("deaf", async move |_| forever(Guard(log, "deaf")).await)?);
            Ok::<_, Error>(())
        });
        agent.pre_stop("end", async |me: &mut Self, ()| me.0.add("pre_stop"));
    }
}

async fn a_task_that_listens_may_end_by_itself(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let group = stage.group().agent(move || Listens(seen.clone())).start().await.unwrap();
    group.stop().await;
    assert_eq!(log.lines(), ["ended by itself", "deaf", "pre_stop"]);
}

struct Many(Log);

impl Agent for Many {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver_mut("fill", async |me: &mut Self, _: Ping, (tasks,): (Tasks,)| {
            let first = tasks.spawn("waits", forever(Guard(me.0.clone(), "gone")))?;
            drop(tasks.spawn("waits", forever(Guard(me.0.clone(), "gone")))?);
            me.0.add(tasks.spawn("third", async {}).map(drop).unwrap_err().to_string());
            first.cancel();
            first.await;
            me.0.add(format!("{:?}", tasks.spawn("third", async {})?.await));
            Ok::<_, Error>(())
        });
    }
}

async fn no_more_tasks_live_than_may(stage: &Stage) {
    let log = Log::default();
    let seen = log.clone();
    let mut limits = Limits::default();
    limits.tasks = 2.try_into().unwrap();
    let group = stage.group().limits(limits).agent(move || Many(seen.clone())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the third", async || log.lines().len() == 3).await;
    assert_eq!(log.lines(), ["tasks of the agent `many`: there may be 2 at once", "gone", "Finished(())"]);
    group.stop().await;
}

struct Detaches(Log);

impl Agent for Detaches {
    fn declare(agent: &mut AgentBuilder<Self>) {
        agent.receiver("start", async |me: &Self, ping: Ping, (tasks,): (Tasks,)| {
            let bomb = Guard(me.0.clone(), "bomb");
            match ping.n {
                1 => tasks.spawn_detached("mends", async { Err::<(), _>("no mend") }),
                _ => {
                    let task = tasks.spawn("bomb", forever(bomb))?;
                    tasks.spawn_detached("cancels", async move {
                        tokio::task::yield_now().await;
                        task.cancel();
                        drop(task.await);
                    })
                }
            }
        });
    }
}

async fn the_error_of_a_detached_task_is_counted(stage: &Stage) {
    let group = stage.group().agent(|| Detaches(Log::default())).start().await.unwrap();
    let mut events = group.events().listen();
    group.bus().publish("test", &Ping { n: 1 }).await.unwrap();
    until(SOON, "the failure", async || group.events().count(EventKind::Failed) == 1).await;
    let failed = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        Event::Failed { handler, error, .. } => Some(format!("{handler}: {error}")),
        _ => None,
    });
    assert_eq!(failed.as_deref(), Some("mends: no mend"));
    group.stop().await;
}

async fn a_task_that_panics_when_it_is_dropped_is_counted(stage: &Stage) {
    let group = stage.group().agent(|| Detaches(Log::default())).start().await.unwrap();
    group.bus().publish("test", &Ping { n: 2 }).await.unwrap();
    until(SOON, "the panic", async || group.events().count(EventKind::TaskPanicked) == 1).await;
    assert_eq!(group.events().count(EventKind::Crashed), 0);
    group.stop().await;
}
