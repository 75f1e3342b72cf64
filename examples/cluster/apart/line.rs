//! What the process of the email agent tells of itself: one JSON line for each event that this process counts or shows.

use std::sync::Arc;
use std::time::Duration;

use formicary::events::HandlerKind;
use formicary::{Event, Events, Queue};
use serde::{Deserialize, Serialize};

use super::{AGENT, HANDLER};
use crate::queues;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The agent runs.
    Ready,
    Handled {
        micros: u64,
    },
    Failed {
        micros: u64,
        error: String,
    },
    Consumed,
    Retried {
        millis: u64,
    },
    DeadLettered {
        reason: String,
    },
    Returned,
    Reclaimed {
        from: String,
    },
    Late,
    Lost,
    Crashed {
        message: String,
    },
    Restarted,
    Stopped,
    BadBody {
        reason: String,
    },
    Missed {
        events: u64,
    },
}

impl Line {
    /// The line of an event, if it is one for others.
    pub fn of(event: Event) -> Option<Self> {
        let micros = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Some(match event {
            Event::Handled { kind: HandlerKind::Consumer, took, .. } => Self::Handled { micros: micros(took) },
            Event::Failed { kind: HandlerKind::Consumer, took, error, .. } => {
                Self::Failed { micros: micros(took), error: error.to_string() }
            }
            Event::Consumed { .. } => Self::Consumed,
            Event::Retried { after, .. } => {
                Self::Retried { millis: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
            }
            Event::DeadLettered { reason, .. } => Self::DeadLettered { reason: reason.to_string() },
            Event::Returned { .. } => Self::Returned,
            Event::Reclaimed { from, .. } => Self::Reclaimed { from: from.to_string() },
            Event::LateSettlement { .. } => Self::Late,
            Event::LostSettlement { .. } => Self::Lost,
            Event::Crashed { message, .. } => Self::Crashed { message: message.to_string() },
            Event::Restarted { .. } => Self::Restarted,
            Event::Stopped { .. } => Self::Stopped,
            Event::BadInput { reason, .. } => Self::BadBody { reason: reason.to_string() },
            Event::Missed { events } => Self::Missed { events },
            _ => return None,
        })
    }

    /// Makes it an event of this process.
    pub fn emit(self, events: &Events) {
        let name = |name: &str| Arc::<str>::from(name);
        let (queue, consumer) = (name(queues::Mailer::NAME), name(AGENT));
        let (agent, handler, kind) = (consumer.clone(), name(HANDLER), HandlerKind::Consumer);
        let event = match self {
            Self::Ready => return,
            Self::Handled { micros } => Event::Handled { agent, handler, kind, took: Duration::from_micros(micros) },
            Self::Failed { micros, error } => {
                Event::Failed { agent, handler, kind, took: Duration::from_micros(micros), error: error.into() }
            }
            Self::Consumed => Event::Consumed { queue, consumer },
            Self::Retried { millis } => Event::Retried { queue, consumer, after: Duration::from_millis(millis) },
            Self::DeadLettered { reason } => Event::DeadLettered { queue, consumer, reason: reason.into() },
            Self::Returned => Event::Returned { queue, consumer },
            Self::Reclaimed { from } => Event::Reclaimed { queue, consumer, from: from.into() },
            Self::Late => Event::LateSettlement { queue, consumer },
            Self::Lost => Event::LostSettlement { queue, consumer },
            Self::Crashed { message } => {
                Event::Crashed { agent, instance: name("apart"), handler, message: message.into() }
            }
            Self::Restarted => Event::Restarted { agent, instance: name("apart"), after: Duration::ZERO },
            Self::Stopped => Event::Stopped { agent, instance: name("apart") },
            Self::BadBody { reason } => {
                Event::BadInput { place: queue, what: formicary::events::BadInput::Body, reason: reason.into() }
            }
            Self::Missed { events } => Event::Missed { events },
        };
        events.emit(event.kind(), || event);
    }
}
