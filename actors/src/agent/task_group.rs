//! Tasks that belong to an instance of an agent and end with it.

mod group;
mod task;

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

pub(crate) use group::{OwnTasks, TaskGroup};
pub use task::{Task, TaskOutcome};

use super::{Cx, Extract, IntoAnswer, Invocation};
use crate::error::{Error, HandlerError};
use crate::events::{Event, EventKind, HandlerKind};

/// Starts tasks that belong to the agent: they run beside its handlers, on its arbiter, and take no turn.
///
/// It is an extractor. A task's future need not be `Send`; its [`Task`] handle may go to any thread. Every task of an
/// instance ends with it: when the agent crashes, and when it stops, after the handlers have finished and before
/// `pre_stop`; what is spawned later is cancelled at once. At most [`Limits::tasks`](crate::Limits::tasks) live at once in
/// one instance, 1,024 by default.
///
/// A panic in a task ends the task and not the agent: it is logged with the task's name, counted as
/// [`EventKind::TaskPanicked`], and told to whoever waits for the task. What must run as long as the agent does is a
/// server.
///
/// ```
/// use std::time::Duration;
/// use formicary_actors::agent::{Agent, AgentBuilder, Task, TaskOutcome, Tasks};
///
/// #[derive(Default)]
/// struct Importer {
///     import: Option<Task<usize>>,
/// }
///
/// impl Agent for Importer {
///     fn declare(agent: &mut AgentBuilder<Self>) {
///         agent.pre_start("begin", async |me: &mut Self, (tasks,): (Tasks,)| {
///             me.import = Some(tasks.spawn("import", async {
///                 tokio::time::sleep(Duration::from_secs(60)).await;
///                 42
///             })?);
///             Ok::<_, formicary_actors::Error>(())
///         });
///         agent.periodic_mut("give_up", Duration::from_secs(30), async |me: &mut Self, ()| {
///             let Some(import) = me.import.take() else { return };
///             import.cancel();
///             match import.await {
///                 TaskOutcome::Finished(rows) => println!("{rows} rows"),
///                 TaskOutcome::Cancelled => println!("cancelled"),
///                 TaskOutcome::Panicked(message) => println!("{message}"),
///                 _ => {}
///             }
///         });
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Tasks {
    group: Rc<TaskGroup>,
    cx: Cx,
}

impl Tasks {
    /// Starts a task. The name is for logs and events; several may have the same.
    ///
    /// # Errors
    /// [`Error::TooMany`] when as many tasks live as may.
    pub fn spawn<T: 'static>(&self, name: &str, future: impl Future<Output = T> + 'static) -> Result<Task<T>, Error> {
        self.group.spawn(name, None, future)
    }

    /// Starts a task with a context of its own: when it waits for [`Cx::stopping`] it may end by itself, up to the stop
    /// deadline, as a server may.
    ///
    /// # Errors
    /// [`Error::TooMany`] when as many tasks live as may.
    pub fn spawn_with<T, F>(&self, name: &str, run: F) -> Result<Task<T>, Error>
    where
        T: 'static,
        F: AsyncFnOnce(Cx) -> T + 'static,
    {
        let (cx, listens) = self.cx.for_server();
        self.group.spawn(name, Some(listens), async move { run(cx).await })
    }

    /// Starts a task that nobody waits for. An error that it returns is logged, once a minute for each name, and counted
    /// as [`EventKind::Failed`].
    ///
    /// # Errors
    /// [`Error::TooMany`] when as many tasks live as may.
    pub fn spawn_detached<R: IntoAnswer>(
        &self,
        name: &str,
        future: impl Future<Output = R> + 'static,
    ) -> Result<(), Error> {
        let (cx, told): (_, Arc<str>) = (self.cx.clone(), name.into());
        let watched = async move {
            let began = Instant::now();
            if let Err(error) = future.await.into_answer() {
                failed(&cx, told, began, &error);
            }
        };
        self.group.spawn(name, None, watched).map(drop)
    }
}

fn failed(cx: &Cx, task: Arc<str>, began: Instant, error: &HandlerError) {
    let (agent, events) = (&cx.shared().agent, &cx.shared().env.events);
    if let Some(times) = events.line_due("task failed", &format!("{agent}.{task}")) {
        tracing::warn!(%agent, %task, times, "a task failed: {error}");
    }
    events.emit(EventKind::Failed, || Event::Failed {
        agent: agent.clone(),
        handler: task,
        kind: HandlerKind::Task,
        took: began.elapsed(),
        error: error.to_string().into(),
    });
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("agent", &self.cx.agent()).field("living", &self.group.living()).finish()
    }
}

impl Extract for Tasks {
    fn extract(invocation: &Invocation) -> Result<Self, Error> {
        Ok(Self { group: invocation.tasks.clone(), cx: invocation.cx.clone() })
    }
}
