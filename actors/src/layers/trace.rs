use tracing::Span;
use tracing::field::{Empty, display};

use crate::agent::Invocation;

/// The span of one run. What the handler logs stands in it; without a subscriber that wants it, it costs nothing.
pub(crate) fn span(run: &Invocation) -> Span {
    let (handler, kind) = (run.handler(), run.kind().word());
    let span = tracing::info_span!(
        "handle",
        agent = run.cx().agent(),
        handler,
        kind,
        place = Empty,
        sender = Empty,
        id = Empty,
        attempt = Empty,
        error = Empty
    );
    if !span.is_disabled() {
        // Nothing is recorded for what is `None`. Senders and ids come from outside.
        span.record("place", run.place());
        span.record("sender", run.sender().map(|sender| display(sender.escape_debug())));
        span.record("id", run.id().map(|id| display(id.escape_debug())));
        span.record("attempt", run.attempt());
    }
    span
}
