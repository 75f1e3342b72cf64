//! A change of what an agent receives, while it runs.

use std::rc::Rc;

use tokio::sync::oneshot;

use super::subscription::inboxes;
use super::{Receiver, Reception};
use crate::agent::builder::AgentBuilder;
use crate::agent::check::{check, check_change};
use crate::agent::patterns;
use crate::agent::plan::ReceiverPlan;
use crate::error::Error;

type List<A> = Vec<Rc<Receiver<A>>>;

impl<A: 'static> Reception<A> {
    /// Adds the receivers that a closure declares; each replaces the one of its name.
    pub(crate) fn receive(
        self: &Rc<Self>,
        declare: impl FnOnce(&mut AgentBuilder<A>),
    ) -> oneshot::Receiver<Result<(), Error>> {
        let declared = self.declared(declare);
        self.spawn(async move |this| {
            let plans = declared?;
            let _turn = this.changing.lock().await;
            this.turn_into(this.with(plans)).await
        })
    }

    /// Ends a receiver. `false` when there is none of that name.
    pub(crate) fn drop_receiver(self: &Rc<Self>, name: &str) -> oneshot::Receiver<Result<bool, Error>> {
        let name = name.to_owned();
        self.spawn(async move |this| {
            let _turn = this.changing.lock().await;
            let mut next = this.current.borrow().clone();
            let Some(at) = next.iter().position(|receiver| **receiver.name() == *name) else { return Ok(false) };
            next.remove(at);
            this.turn_into(next).await.map(|()| true)
        })
    }

    /// Makes a change in a task of its own: whoever waits for it may end or crash, and it is still made whole.
    fn spawn<T: 'static>(
        self: &Rc<Self>,
        change: impl AsyncFnOnce(&Self) -> Result<T, Error> + 'static,
    ) -> oneshot::Receiver<Result<T, Error>> {
        let (reply, pending) = oneshot::channel();
        let this = self.clone();
        tokio::task::spawn_local(async move {
            let outcome = tokio::select! {
                biased;
                () = this.ended.raised() => Err(Error::Closed("the agent")),
                outcome = change(&this) => outcome,
            };
            drop(reply.send(outcome));
        });
        pending
    }

    /// Runs the closure and holds what it declared against the declarations, as at the start.
    fn declared(&self, declare: impl FnOnce(&mut AgentBuilder<A>)) -> Result<Vec<ReceiverPlan<A>>, Error> {
        let mut builder = AgentBuilder::new();
        declare(&mut builder);
        let mut plan = builder.build();
        let mut problems = check_change(&plan);
        problems.extend(patterns::expand(&mut plan.receivers, &self.shared.env.declarations));
        problems.extend(check(&plan, &self.shared));
        match problems.is_empty() {
            true => Ok(plan.receivers),
            false => Err(Error::Misfit { agent: self.shared.agent.to_string(), problems }),
        }
    }

    fn with(&self, plans: Vec<ReceiverPlan<A>>) -> List<A> {
        let mut next = self.current.borrow().clone();
        for plan in plans {
            match next.iter_mut().find(|receiver| *receiver.name() == plan.handler.name) {
                Some(old) => *old = Rc::new(Receiver::replacing(plan, old, &self.shared)),
                None => next.push(Rc::new(Receiver::new(plan, &self.shared))),
            }
        }
        next
    }

    /// First what is new is subscribed, then the handlers change, at once for each signal, then what is old ends: so
    /// nothing is missed, lost or handled twice. An error leaves all as it was.
    async fn turn_into(&self, next: List<A>) -> Result<(), Error> {
        let old = self.current.borrow().clone();
        let (new, gone) = (without(&next, &old), without(&old, &next));
        if !self.live.get() {
            self.current.replace(next);
            self.tell();
            return Ok(());
        }
        // They handle the signals that only they hear from when those come.
        self.beside.borrow_mut().extend(new.iter().cloned());
        if let Err(error) = self.subscribe(&next).await {
            self.unsubscribe_but(&old).await;
            new.iter().for_each(|receiver| receiver.close());
            return Err(error);
        }
        self.swap(&next, &new, &gone);
        self.unsubscribe_but(&next).await;
        gone.iter().for_each(|receiver| receiver.close());
        self.tell();
        Ok(())
    }

    fn swap(&self, next: &List<A>, new: &List<A>, gone: &List<A>) {
        for subscription in &*self.subscriptions.borrow() {
            let inboxes = inboxes(next, &subscription.signal);
            // What nobody will hear goes to those that are going until its subscription has ended.
            if !inboxes.is_empty() {
                subscription.inlet.set(inboxes);
            }
        }
        // Behind that: what comes now enters the new inbox, and what waits in the old one came before it.
        for old in gone {
            if let Some(new) = new.iter().find(|new| new.name() == old.name()) {
                new.take_over(old, &self.shared);
            }
        }
        self.current.replace(next.clone());
        let mut beside = self.beside.borrow_mut();
        beside.retain(|receiver| !new.iter().any(|new| Rc::ptr_eq(new, receiver)));
        beside.extend(gone.iter().cloned());
    }
}

/// The receivers of one list that are not in the other.
fn without<A>(list: &List<A>, other: &List<A>) -> List<A> {
    list.iter().filter(|receiver| !other.iter().any(|other| Rc::ptr_eq(other, receiver))).cloned().collect()
}
