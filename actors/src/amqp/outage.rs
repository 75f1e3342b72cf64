//! The lines of an outage: one when it begins, one when it is over.

use super::{ConnectError, Endpoint, State};
use crate::connection::Reason;
use std::mem::discriminant;

/// Logs the outages of one connection, or of several as one.
pub(crate) struct Outage {
    role: String,
    place: String,
    quiet: bool,
    /// Why it is down, as it was told; none while it is up.
    told: Option<ConnectError>,
}

impl Outage {
    pub(crate) fn new(role: &str, endpoint: &Endpoint) -> Self {
        Self { role: role.to_owned(), place: endpoint.to_string(), quiet: false, told: None }
    }

    /// At level debug, if somebody else tells of it.
    pub(super) fn quiet(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }

    pub(crate) fn see(&mut self, state: &State) {
        let Self { role, place, quiet, told } = self;
        match state {
            State::Up { .. } if told.take().is_none() => {}
            State::Up { .. } if *quiet => tracing::debug!("{role}: connected to {place} again"),
            State::Up { .. } => tracing::info!("{role}: connected to {place} again"),
            State::Down { reason } if is_news(told.as_ref(), reason) => {
                match quiet {
                    true => tracing::debug!("{role}: no connection to {place}: {reason}"),
                    false => {
                        tracing::warn!("{role}: no connection to {place}: {reason}; trying again until it is back");
                    }
                }
                *told = Some(reason.clone());
            }
            State::Down { .. } => {}
        }
    }
}

/// One line for an outage; another only if what is wrong is of another kind now.
fn is_news(told: Option<&ConnectError>, reason: &ConnectError) -> bool {
    told.is_none_or(|old| reason.is_permanent() && discriminant(old) != discriminant(reason))
}
