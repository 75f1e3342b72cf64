use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::context::Cx;
use super::delivery::DeliveryState;
use super::shared::Shared;
use super::task_group::TaskGroup;
use super::turns::Turn;

/// One run of a handler, as extractors see it.
#[derive(Clone)]
pub struct Invocation {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cx: Cx,
    pub(crate) scope: Arc<Scope>,
    pub(crate) sender: Option<Arc<str>>,
    pub(crate) delivery: Option<Arc<DeliveryState>>,
    pub(crate) tasks: Rc<TaskGroup>,
}

/// What holds while the handler runs, and not for a handle of it that lives longer.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) handler: Arc<str>,
    pub(crate) turn: Option<Turn>,
    pub(crate) deadline: Option<Instant>,
}

impl Invocation {
    /// The context of the agent.
    pub fn cx(&self) -> &Cx {
        &self.cx
    }

    /// The handler's name.
    pub fn handler(&self) -> &str {
        &self.scope.handler
    }

    /// Who sent the signal; `None` for handlers of other kinds.
    pub fn sender(&self) -> Option<&str> {
        self.sender.as_deref()
    }

    /// How long the handler still has; `None` for servers, which have no timeout.
    pub fn time_left(&self) -> Option<Duration> {
        self.scope.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation").field("scope", &self.scope).finish_non_exhaustive()
    }
}
