//! How the state of a connection becomes the state of an adapter, and events.

use super::{Reason, State};
use crate::AdapterContext;
use crate::contract::ConnectionState;
use crate::events::{Event, EventKind};
use std::{rc::Rc, sync::Arc};
use tokio::time::Instant;

/// An observer that publishes each state in the adapter's context. `link` names the adapter in events: `bus`, `broker`.
pub(crate) fn follow<R: Reason>(link: &'static str, context: Rc<AdapterContext>) -> impl FnMut(&State<R>) {
    let link: Arc<str> = link.into();
    let mut was_up = false;
    let mut lost: Option<Instant> = None;
    move |state| {
        let events = &context.env.events;
        let shown = match state {
            State::Up { .. } => {
                was_up = true;
                if let Some(since) = lost.take() {
                    let link = link.clone();
                    events.emit(EventKind::Reconnected, || Event::Reconnected { link, after: since.elapsed() });
                }
                ConnectionState::Up
            }
            State::Down { reason } => {
                let lasting = reason.is_permanent();
                let reason = reason.to_string();
                // A first connection that is not yet there is no loss.
                if was_up && lost.is_none() {
                    lost = Some(Instant::now());
                    let (link, reason) = (link.clone(), reason.as_str().into());
                    events.emit(EventKind::Disconnected, || Event::Disconnected { link, reason });
                }
                ConnectionState::Down { reason, lasting }
            }
        };
        context.state.send_replace(shown);
    }
}
