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
/// Options: `name = "comment_agent"` (default: the type's name in snake case), and `layer = slow()`, which stands around
/// every run of every handler.
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
///
/// # Blocking handlers
///
/// Receivers, consumers, periodic and cron tasks may be `blocking`, for work that computes or blocks: a plain `fn`, which
/// runs on the group's pool of threads beside everything else. It has no `self`: the first argument is the payload, where
/// there is one. What it takes and answers must be `Send`. It waits with `formicary::block_on` for what it sends. A run
/// that goes on after its timeout has failed, and keeps its place until it returns.
///
/// ```
/// use formicary::block_on;
/// use formicary::prelude::*;
///
/// formicary::declare!("../signals.json");
///
/// #[derive(Default)]
/// struct Press;
///
/// #[agent]
/// impl Press {
///     #[receiver(blocking, concurrency = 2, rate = 10)]
///     fn print(user: signals::UserCreated, cx: &Cx, mailer: Push<queues::Mailer>) -> Result {
///         let text = std::fs::read_to_string("welcome.txt")?;
///         let email = format!("user-{}@{}.example.org", user.user_id, cx.agent());
///         block_on(mailer.send(&queues::Mailer { text, email }))?;
///         Ok(())
///     }
///
///     #[cron("0 3 * * *", blocking, timezone = "Europe/Berlin")]
///     fn tidy() -> Result {
///         Ok(std::fs::remove_file("welcome.old")?)
///     }
/// }
/// ```
///
/// # Layers
///
/// `layer = expression` puts something around every run: of one handler of any kind, or of all of an agent when it stands
/// in `#[agent(..)]`. It may be given more than once; the first is the outermost, and an agent's layers are outside of its
/// handlers'. `Self` is the agent's type.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use formicary::prelude::*;
/// use formicary::{Layer, layer};
///
/// /// Tells of runs that take long.
/// fn slow(limit: Duration) -> impl Layer {
///     layer(async move |run, next| {
///         let started = Instant::now();
///         let outcome = next.run().await;
///         if started.elapsed() > limit {
///             println!("{} of {} was slow", run.handler(), run.cx().agent());
///         }
///         outcome
///     })
/// }
///
/// #[derive(Default)]
/// struct Ticker;
///
/// #[agent(layer = slow(Duration::from_secs(1)))]
/// impl Ticker {
///     #[periodic("15s", layer = Self::quiet())]
///     async fn tick(&self) {}
///
///     fn quiet() -> impl Layer {
///         layer(async |run, next| if run.cx().is_stopping() { Ok(()) } else { next.run().await })
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
/// Options: `timeout = "10s"` (default 60 s), `concurrency = 8` (default 64), `inbox = 100` (default 1,024), `rate = 10`
/// (how many runs may begin in a second, evenly spaced; what comes faster waits in the inbox; default: no such bound),
/// [`blocking`](agent#blocking-handlers), and [`layer = slow()`](agent#layers).
///
/// # Several signals
///
/// With a list of signals, `#[receiver(signals::A, signals::B)]`, the payload is an `AnySignal`: the signal's name, its
/// arguments as a value, and `decode` into a type. `signals = "user_*"` and `signals = ["user_*", "audit"]` name them by text:
/// `*` is any run of characters, also none, `?` is any one character, and everything else is itself. A pattern stands for the
/// declared signals that it matches when the agent starts; one that matches none refuses the start. Signals that are
/// called are among them: what the receiver returns is the answer.
///
/// # A filter
///
/// `filter = Self::is_large` names a `fn(&Payload) -> bool`, which says what is handled. It is asked before the rate and the turn, and must
/// be quick. What it refuses is counted and is nothing else. A call that it refuses is not answered by this receiver: the
/// caller has the answer of another one, or its call runs out of time.
///
/// ```
/// use formicary::prelude::*;
///
/// formicary::declare!("../signals.json");
///
/// #[derive(Default)]
/// struct Audit;
///
/// #[agent]
/// impl Audit {
///     #[receiver(signals = ["user_*", "started"])]
///     async fn note(&self, any: AnySignal, from: SentBy) {
///         println!("{from}: {} {}", any.signal, any.arguments);
///     }
///
///     #[receiver(filter = Self::is_early)]
///     async fn greet(&self, user: signals::UserCreated) {
///         println!("user {} is one of the first", user.user_id);
///     }
///
///     fn is_early(user: &signals::UserCreated) -> bool {
///         user.user_id < 100
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn receiver(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("receiver", item.into()).into()
}

/// In an `#[agent]` block: a consumer of a queue, `#[consumer(queues::Mailer)]`. Without a path, the payload's type is
/// the queue.
///
/// Options: `timeout = "30s"` (default 60 s), `concurrency = 8` (default 16), `rate = 10` (how many runs may begin in a
/// second in one instance of the agent, evenly spaced; what comes faster waits at the broker; default: no such bound),
/// [`blocking`](agent#blocking-handlers), and [`layer = slow()`](agent#layers).
///
/// # What becomes of a message
///
/// - `retry(attempts = 5, backoff = "exponential", first = "1s", most = "60s", jitter = 0.5, on = is_transient)`, or
///   `retry = 5`: how often a message is tried, and how long it waits in between. The values are the defaults; `backoff` is
///   `"constant"` (`first` each time), `"linear"` or `"exponential"`; `jitter` is the least part of a wait that chance leaves;
///   `on` is a `fn(&HandlerError) -> bool`, and `false` gives the message up at once.
/// - `on_exhausted = give_up`: a method of the same block, without an attribute, that gets what is given up, and why in the
///   extractor `Exhausted`.
/// - `dead_letter = false`: what is given up is dropped and counted, instead of put aside.
/// - `by = "user_id"`: messages with one value of this field are handled one after the other, in the order of the queue.
/// - `dedup(window = "10m", by = "order_id")`: a message with a value of this field that was acknowledged within the window
///   is left out. Without `by`: by the id that its sender gave it, where the broker carries one.
///
/// ```
/// use formicary::HandlerError;
/// use formicary::prelude::*;
///
/// formicary::declare!("../signals.json");
///
/// #[derive(Default)]
/// struct Post;
///
/// #[agent]
/// impl Post {
///     #[consumer(by = "email", retry(attempts = 8, most = "10m", on = is_transient), on_exhausted = give_up)]
///     async fn deliver(&self, mail: queues::Mailer, tries: RetryContext) -> Result {
///         println!("to {}, attempt {}: {}", mail.email, tries.attempt(), mail.text);
///         Ok(())
///     }
///
///     async fn give_up(&self, mail: queues::Mailer, why: Exhausted) {
///         println!("{} has no mail: {}", mail.email, why.error());
///     }
/// }
///
/// fn is_transient(error: &HandlerError) -> bool {
///     error.kind() == "timeout"
/// }
/// ```
///
/// # Batches
///
/// A method that takes a `Vec<Item<..>>` gets many messages at once: `batch(size = 64, wait = "100ms")`, which are the
/// defaults, says how many, and how long the first waits for the others. It has no `by` and is never `blocking`.
///
/// ```
/// use formicary::prelude::*;
///
/// formicary::declare!("../signals.json");
///
/// #[derive(Default)]
/// struct Post;
///
/// #[agent]
/// impl Post {
///     #[consumer(batch(size = 100, wait = "50ms"))]
///     async fn deliver(&self, mails: Vec<Item<queues::Mailer>>) {
///         for mail in mails {
///             println!("to {}: {}", mail.email, mail.text);
///             mail.ack();
///         }
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn consumer(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("consumer", item.into()).into()
}

/// In an `#[agent]` block: runs at an interval, `#[periodic("15s")]`.
///
/// Options: `timeout = "10s"` (default: the interval), `start_after = "3s"` (default: at once),
/// `overlap = "skip" | "queue" | "allow"` (default `skip`), [`blocking`](agent#blocking-handlers), and
/// [`layer = slow()`](agent#layers).
#[proc_macro_attribute]
pub fn periodic(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("periodic", item.into()).into()
}

/// In an `#[agent]` block: runs at the times of a cron expression, `#[cron("0 */4 * * *")]`, which is checked when the
/// package is built.
///
/// Options: `timezone = "Europe/Berlin"` (default `UTC`), `timeout = "60s"` (default 60 s),
/// `overlap = "skip" | "queue" | "allow"` (default `skip`), [`blocking`](agent#blocking-handlers), and
/// [`layer = slow()`](agent#layers).
#[proc_macro_attribute]
pub fn cron(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("cron", item.into()).into()
}

/// In an `#[agent]` block: a hook, `#[on(pre_start)]`, `#[on(post_start)]` or `#[on(pre_stop)]`.
///
/// Options: `timeout = "10s"` (default 60 s), and [`layer = slow()`](agent#layers). `post_start` takes no turn: it gets a
/// `Handle<Self>`.
#[proc_macro_attribute]
pub fn on(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("on", item.into()).into()
}

/// In an `#[agent]` block: runs for ever beside the handlers. It takes no turn: it gets a `Handle<Self>`.
///
/// Option: [`layer = slow()`](agent#layers).
#[proc_macro_attribute]
pub fn server(_: TokenStream, item: TokenStream) -> TokenStream {
    agent::misplaced("server", item.into()).into()
}
