use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::{Task, TaskOutcome};
use crate::agent::instance::guarded;
use crate::agent::shared::Shared;
use crate::error::Error;
use crate::events::{Event, EventKind};
use crate::stall::seen;

/// The tasks of one instance.
pub(crate) struct TaskGroup {
    shared: Arc<Shared>,
    living: RefCell<BTreeMap<u64, Living>>,
    next: Cell<u64>,
    closed: Cell<bool>,
    /// Told at each end of a task. One waits for it: the life of the agent.
    ended: Notify,
}

struct Living {
    end: AbortHandle,
    /// Whether the task waits for the stop; `None` for one that cannot.
    listens: Option<Arc<AtomicBool>>,
}

/// The group in the hands of its instance: when the instance is dropped, however it came to it, the tasks are too. It is
/// made when something of the instance first runs.
pub(crate) struct OwnTasks {
    shared: Arc<Shared>,
    group: OnceCell<Rc<TaskGroup>>,
    closed: Cell<bool>,
}

impl OwnTasks {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, group: OnceCell::new(), closed: Cell::new(false) }
    }

    pub(crate) fn group(&self) -> &Rc<TaskGroup> {
        self.group.get_or_init(|| {
            Rc::new(TaskGroup {
                shared: self.shared.clone(),
                living: RefCell::default(),
                next: Cell::new(0),
                closed: Cell::new(self.closed.get()),
                ended: Notify::new(),
            })
        })
    }

    /// How many tasks live.
    pub(crate) fn living(&self) -> usize {
        self.group.get().map_or(0, |group| group.living())
    }

    /// Whether a task lives that waits for the stop: it may end by itself.
    pub(crate) fn one_listens(&self) -> bool {
        self.group.get().is_some_and(|group| group.one_listens())
    }

    /// Returns when a task has ended.
    pub(crate) async fn one_ended(&self) {
        match self.group.get() {
            Some(group) => group.ended.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Cancels all tasks, refuses new ones, and waits until their futures are dropped.
    pub(crate) async fn end_all(&self) {
        self.cancel_all();
        while self.living() > 0 {
            self.one_ended().await;
        }
    }

    fn cancel_all(&self) {
        self.closed.set(true);
        self.group.get().into_iter().for_each(|group| group.cancel_all());
    }
}

impl Drop for OwnTasks {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

impl TaskGroup {
    pub(super) fn spawn<T: 'static>(
        self: &Rc<Self>,
        name: &str,
        listens: Option<Arc<AtomicBool>>,
        future: impl Future<Output = T> + 'static,
    ) -> Result<Task<T>, Error> {
        let limit = self.shared.env.limits.tasks.get();
        if self.living() >= limit {
            return Err(Error::TooMany { what: format!("tasks of the agent `{}`", self.shared.agent), limit });
        }
        let name: Arc<str> = name.into();
        let (tell, outcome) = oneshot::channel();
        if self.closed.get() {
            return Ok(Task { name, end: None, outcome });
        }
        let id = self.next.replace(self.next.get() + 1);
        let place = Place { group: Rc::downgrade(self), id, name: name.clone() };
        let env = &self.shared.env;
        let watched = env.beats.of_this_arbiter(&env.events).watched(&self.shared.agent, &name);
        let task = tokio::task::spawn_local(async move {
            // Dropped last, when the task is gone.
            let place = place;
            let outcome = match guarded(seen(watched, future)).await {
                Ok(value) => TaskOutcome::Finished(value),
                Err(message) => {
                    place.panicked(&message);
                    TaskOutcome::Panicked(message)
                }
            };
            // Nobody may wait for it.
            drop(tell.send(outcome));
        });
        let end = task.abort_handle();
        self.living.borrow_mut().insert(id, Living { end: end.clone(), listens });
        Ok(Task { name, end: Some(end), outcome })
    }

    pub(super) fn living(&self) -> usize {
        self.living.borrow().len()
    }

    fn one_listens(&self) -> bool {
        let living = self.living.borrow();
        living.values().any(|task| task.listens.as_ref().is_some_and(|listens| listens.load(Ordering::Acquire)))
    }

    fn cancel_all(&self) {
        self.closed.set(true);
        // Not under the borrow: whoever is woken may look at the group.
        let ends: Vec<_> = self.living.borrow().values().map(|task| task.end.clone()).collect();
        ends.iter().for_each(AbortHandle::abort);
    }
}

/// A task's place in its group, which it leaves when it is dropped.
struct Place {
    group: Weak<TaskGroup>,
    id: u64,
    name: Arc<str>,
}

impl Place {
    fn panicked(&self, message: &str) {
        let Some(group) = self.group.upgrade() else { return };
        let (agent, events) = (&group.shared.agent, &group.shared.env.events);
        let name = &self.name;
        if let Some(times) = events.line_due("task panicked", &format!("{agent}.{name}")) {
            tracing::error!(%agent, task = %name, times, "a task panicked: {message}");
        }
        events.emit(EventKind::TaskPanicked, || Event::TaskPanicked {
            agent: agent.clone(),
            task: name.clone(),
            message: message.into(),
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.panicked("it panicked while it was dropped");
        }
        if let Some(group) = self.group.upgrade() {
            group.living.borrow_mut().remove(&self.id);
            group.ended.notify_one();
        }
    }
}
