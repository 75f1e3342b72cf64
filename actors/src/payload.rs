//! What is done about payloads that do not fit their declaration: mode `off`, `warn` or `reject`.

use formicary_protocol::{CheckMode, Mismatch};

use crate::Env;
use crate::events::{Event, EventKind};

/// Holds a payload against its declaration. `Err` is what does not fit, in mode `reject`; in mode `warn` that is counted
/// and logged. `way` is `sent` or `received`.
pub(crate) fn judge(
    env: &Env,
    way: &'static str,
    place: &str,
    check: impl FnOnce() -> Vec<Mismatch>,
) -> Result<(), String> {
    let mismatches = if env.check == CheckMode::Off { Vec::new() } else { check() };
    if mismatches.is_empty() {
        return Ok(());
    }
    let reason = mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if env.check == CheckMode::Reject {
        return Err(reason);
    }
    mismatched(env, way, place, &reason);
    Ok(())
}

/// Counts a payload that is used although it does not fit, and logs it once a minute.
pub(crate) fn mismatched(env: &Env, way: &'static str, place: &str, reason: &str) {
    env.events.emit(EventKind::Mismatched, || Event::Mismatched { place: place.into(), reason: reason.into() });
    if let Some(times) = env.events.line_due(way, place) {
        tracing::warn!(place, way, times, "a payload does not fit its declaration: {reason}");
    }
}
