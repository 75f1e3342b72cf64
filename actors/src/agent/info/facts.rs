//! What is kept for `info()` while an agent lives: little, since there may be a hundred thousand. The rest is put together
//! when somebody asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use formicary_protocol::Cron;

use super::handlers::Declared;
use super::{AgentInfo, HandlerInfo, OutputInfo, ReceiverInfo, settings};
use crate::agent::StartFlags;
use crate::agent::plan::Plan;
use crate::agent::receive::{ConsumerInbox, ReceiverInbox};
use crate::agent::shared::Shared;
use crate::events::HandlerKind;

/// What `info()` is made of, for one agent.
pub(crate) struct Facts {
    shared: Arc<Shared>,
    template: Arc<Template>,
    flags: StartFlags,
    receives: Mutex<Receives>,
    /// In the order of the plan, once they consume. Weak: an inbox knows what is shared, and that must not keep itself.
    consumers: OnceLock<Box<[Weak<ConsumerInbox>]>>,
}

/// What an agent receives now.
#[derive(Default)]
struct Receives {
    /// In the order of the receivers.
    inboxes: Box<[Arc<ReceiverInbox>]>,
    /// What is not as its type declared it.
    changed: Option<Box<Changed>>,
}

/// The receivers of an agent that has others than its type declared, and all outputs that it then has.
pub(crate) struct Changed {
    pub(crate) receivers: Vec<ReceiverInfo>,
    pub(crate) outputs: Vec<OutputInfo>,
}

/// What all agents of one type have alike: their info with everything left out that is one agent's own.
#[derive(Debug, PartialEq)]
struct Template {
    info: AgentInfo,
    cron: Vec<Cron>,
}

/// The templates of a group, one for each type of agent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Templates(Arc<Mutex<BTreeMap<&'static str, Arc<Template>>>>);

impl Templates {
    /// The one that is kept, if it is the same. An agent may declare something else each time; the latest is kept.
    fn kept(&self, type_name: &'static str, template: Template) -> Arc<Template> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(type_name) {
            Some(same) if **same == template => same.clone(),
            _ => {
                let template = Arc::new(template);
                kept.insert(type_name, template.clone());
                template
            }
        }
    }
}

impl Facts {
    pub(crate) fn new<A>(
        plan: &Plan<A>,
        shared: Arc<Shared>,
        flags: StartFlags,
        buses: Vec<String>,
        brokers: Vec<String>,
    ) -> Self {
        let declared = Declared { plan, outer: shared.env.layers.0.len() };
        let info = AgentInfo {
            name: String::new(),
            type_name: shared.type_name.to_string(),
            uid: String::new(),
            buses,
            brokers,
            flags: StartFlags::default(),
            settings: BTreeMap::new(),
            receivers: declared.receivers(&plan.receivers),
            consumers: declared.consumers(),
            periodic: declared.periodic(),
            cron: declared.cron(),
            hooks: declared.hooks(),
            servers: declared.servers(),
            outputs: declared.outputs([]),
        };
        let template = Template { info, cron: plan.cron.iter().map(|plan| plan.cron.clone()).collect() };
        let template = shared.env.templates.kept(std::any::type_name::<A>(), template);
        Self { shared, template, flags, receives: Mutex::default(), consumers: OnceLock::new() }
    }

    /// The agent has these receivers from now on.
    pub(crate) fn receives(&self, inboxes: Box<[Arc<ReceiverInbox>]>, changed: Option<Changed>) {
        *self.lock() = Receives { inboxes, changed: changed.map(Box::new) };
    }

    fn lock(&self) -> MutexGuard<'_, Receives> {
        self.receives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent consumes: from now on the length of its inboxes is told.
    pub(crate) fn consumes(&self, inboxes: Box<[Weak<ConsumerInbox>]>) {
        // The first instance that gets so far consumes for all.
        drop(self.consumers.set(inboxes));
    }

    pub(crate) fn name(&self) -> &str {
        &self.shared.agent
    }

    /// What the agent is, and what its handlers have done so far.
    pub(crate) fn info(&self) -> AgentInfo {
        let shared = &self.shared;
        let mut info = self.template.info.clone();
        info.name = shared.agent.to_string();
        info.uid = shared.uid.to_string();
        info.flags = self.flags;
        info.settings = settings::outline(&shared.settings);
        let receives = self.lock();
        if let Some(changed) = &receives.changed {
            info.receivers.clone_from(&changed.receivers);
            info.outputs.clone_from(&changed.outputs);
        }
        for (receiver, inbox) in info.receivers.iter_mut().zip(&receives.inboxes) {
            self.count(&mut receiver.handler, HandlerKind::Receiver);
            receiver.handler.counts.waiting = inbox.inbox.len() as u64;
        }
        drop(receives);
        let inboxes = self.consumers.get().into_iter().flatten();
        info.consumers.iter_mut().for_each(|consumer| self.count(&mut consumer.handler, HandlerKind::Consumer));
        for (consumer, inbox) in info.consumers.iter_mut().zip(inboxes) {
            consumer.handler.counts.waiting = inbox.upgrade().map_or(0, |inbox| inbox.inbox.len() as u64);
        }
        info.periodic.iter_mut().for_each(|timer| self.count(&mut timer.handler, HandlerKind::Periodic));
        let now = shared.env.clock.now();
        for (timer, cron) in info.cron.iter_mut().zip(&self.template.cron) {
            self.count(&mut timer.handler, HandlerKind::Cron);
            let next = self.flags.timers.then(|| cron.next_after(now)).flatten();
            timer.next = next.map(|next| next.with_timezone(&cron.zone()).to_rfc3339());
        }
        info.hooks.iter_mut().for_each(|hook| self.count(&mut hook.handler, HandlerKind::Hook));
        info.servers.iter_mut().for_each(|server| self.count(server, HandlerKind::Server));
        info
    }

    fn count(&self, handler: &mut HandlerInfo, kind: HandlerKind) {
        handler.counts = self.shared.tallies.counts(&handler.name, kind);
    }
}
