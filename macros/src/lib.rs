//! The macros of Formicary. Use them through the package `formicary`, which re-exports them: the code that they write
//! names nothing else.
//!
//! - [`agent`] turns an `impl` block into an agent; [`macro@receiver`], [`macro@consumer`], [`macro@periodic`], [`macro@cron`],
//!   [`macro@on`] and [`macro@server`] mark its methods;
//! - [`declare!`] makes a type for each signal and each queue of a document;
//! - [`Signal`](derive@Signal) and [`Queue`](derive@Queue) are derived for types of your own.

mod agent;
mod declare;
mod derive;
mod field_kind;
mod names;
mod options;
mod problems;

use proc_macro::TokenStream;

/// Makes an agent of an inherent `impl` block: writes `impl Agent`, which calls the builder once for each marked method.
///
/// The methods stay plain methods, so that a unit test can call them. The first argument after `self` of a receiver or a
/// consumer is the payload; all others are extractors, and `&T` borrows what `T` extracts. `&self` is a read turn,
/// `&mut self` a write turn.
///
/// Option: `name = "comment_agent"`. Default: the type's name in snake case.
///
/// ```
/// use std::collections::HashMap;
///
/// use formicary::prelude::*;
///
/// formicary::declare!("../signals.json");
///
/// #[derive(Default)]
/// struct CommentAgent {
///     counts: HashMap<u64, u64>,
/// }
///
/// #[agent(name = "comment_agent")]
/// impl CommentAgent {
///     #[receiver(timeout = "10s")]
///     async fn count(&mut self, comment: signals::UserComment, from: SentBy) -> Result {
///         *self.counts.entry(comment.user_id).or_default() += 1;
///         Ok(())
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn agent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    agent::expand(arguments.into(), item.into()).into()
}

/// Makes a type for each signal and each queue of a document, and `fn declarations()`, which returns them all.
///
/// The path is relative to the directory of the package's `Cargo.toml`. The document is read when the package is built,
/// again whenever it changes, and never when the program runs. It is a file: a URL is refused.
///
/// ```
/// formicary::declare!("../signals.json");
///
/// # fn main() {
/// let comment = signals::UserComment { user_id: 1 };
/// assert!(declarations().signal("user_comment").is_some());
/// # drop(comment);
/// # }
/// ```
#[proc_macro]
pub fn declare(path: TokenStream) -> TokenStream {
    declare::expand(path.into()).into()
}

/// Makes a struct the payload of a signal. It needs `serde::Serialize` and `serde::Deserialize` too.
///
/// Options: `#[signal(name = "user_comment", answer = u64)]`. Defaults: the struct's name in snake case, and
/// `formicary::Value`. `rename`, `rename_all` and `skip` of serde are understood.
#[proc_macro_derive(Signal, attributes(signal, serde))]
pub fn derive_signal(item: TokenStream) -> TokenStream {
    derive::signal(item.into()).into()
}

/// Makes a type the message of a queue. It needs `serde::Serialize` and `serde::Deserialize` too.
///
/// Option: `#[queue(name = "mailer")]`. Default: the type's name in snake case. `rename`, `rename_all` and `skip` of serde
/// are understood.
#[proc_macro_derive(Queue, attributes(queue, serde))]
pub fn derive_queue(item: TokenStream) -> TokenStream {
    derive::queue(item.into()).into()
}

/// In an `#[agent]` block: a receiver of a signal and of calls of it. What it returns is the answer.
///
/// Options: `timeout = "10s"` (default 60 s), `concurrency = 8` (default 64), `inbox = 100` (default 1,024). With a list of
/// signals, `#[receiver(signals::A, signals::B)]`, the payload is a `SignalValue`.
#[proc_macro_attribute]
pub fn receiver(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("receiver", item.into()).into()
}

/// In an `#[agent]` block: a consumer of a queue, `#[consumer(queues::Mailer)]`. Without a path, the payload's type is
/// the queue.
///
/// Options: `timeout = "30s"` (default 60 s), `concurrency = 8` (default 16).
#[proc_macro_attribute]
pub fn consumer(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("consumer", item.into()).into()
}

/// In an `#[agent]` block: runs at an interval, `#[periodic("15s")]`.
///
/// Options: `timeout = "10s"` (default: the interval), `start_after = "3s"` (default: at once), and
/// `overlap = "skip" | "queue" | "allow"` (default `skip`).
#[proc_macro_attribute]
pub fn periodic(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("periodic", item.into()).into()
}

/// In an `#[agent]` block: runs at the times of a cron expression, `#[cron("0 */4 * * *")]`, which is checked when the
/// package is built.
///
/// Options: `timezone = "Europe/Berlin"` (default `UTC`), `timeout = "60s"` (default 60 s), and
/// `overlap = "skip" | "queue" | "allow"` (default `skip`).
#[proc_macro_attribute]
pub fn cron(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("cron", item.into()).into()
}

/// In an `#[agent]` block: a hook, `#[on(pre_start)]`, `#[on(post_start)]` or `#[on(pre_stop)]`.
///
/// Option: `timeout = "10s"` (default 60 s). `post_start` takes no turn: it gets a `Handle<Self>`.
#[proc_macro_attribute]
pub fn on(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("on", item.into()).into()
}

/// In an `#[agent]` block: runs for ever beside the handlers. It takes no turn: it gets a `Handle<Self>`.
#[proc_macro_attribute]
pub fn server(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("server", item.into()).into()
}
