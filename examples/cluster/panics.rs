//! A panic is one line in the log, and not a text over the table.

/// Replaces the hook that writes panics to stderr. What an agent's panic leads to, the framework logs by itself.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload().downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("without a message");
        if message.starts_with("chaos:") {
            tracing::debug!(place, "panic: {message}");
        } else {
            tracing::error!(place, "panic: {message}");
        }
    }));
}
