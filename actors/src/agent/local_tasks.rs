use std::future::Future;

use tokio::task::{AbortHandle, JoinError, JoinSet};

/// Tasks of one kind on this arbiter. Without one it takes no memory: most agents are idle most of the time.
#[derive(Default)]
pub(crate) struct LocalTasks(Option<JoinSet<()>>);

impl LocalTasks {
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + 'static) -> AbortHandle {
        self.0.get_or_insert_default().spawn_local(task)
    }

    /// How the next task has ended; `None` when there is none. Cancel safe.
    pub(crate) async fn join_next(&mut self) -> Option<Result<(), JoinError>> {
        let ended = self.0.as_mut()?.join_next().await;
        if self.is_empty() {
            self.0 = None;
        }
        ended
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, JoinSet::len)
    }

    pub(crate) fn abort_all(&mut self) {
        self.0.iter_mut().for_each(JoinSet::abort_all);
    }
}
