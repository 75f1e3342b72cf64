use std::sync::Arc;

use actix::Addr;

use super::info::Facts;
use crate::contract::Reply;
use crate::registry::{AgentId, Ended, Registry, Report, Started, Verdict};

/// What a life says to the registry about one agent.
pub(crate) struct Supervisor {
    /// Shared, since a clone of an address is two allocations.
    pub(crate) registry: Arc<Addr<Registry>>,
    pub(crate) id: AgentId,
}

impl Supervisor {
    /// An instance runs.
    pub(crate) fn up(&self, info: Arc<Facts>) {
        self.registry.do_send(Started { id: self.id, info });
    }

    /// Reports the end of an instance and brings the verdict.
    pub(crate) async fn ask(&self, ended: Ended) -> Verdict {
        let (reply, verdict) = Reply::new();
        self.registry.do_send(Report { id: self.id, ended, reply });
        verdict.await.unwrap_or(Verdict::End)
    }

    /// The agent has ended for good. The registry forgets its shell, which ends with its last address.
    pub(crate) fn gone(&self) {
        self.registry.do_send(Report { id: self.id, ended: Ended::ForGood, reply: Reply::unheard() });
    }
}
