//! The delivery policy of a consumer: what becomes of a message, and in which order.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use super::retry;
use super::settings::{self, literal};
use crate::options::Options;
use crate::problems::Problems;

const BATCH: &str = "brackets: write `batch(size = 100, wait = \"50ms\")`, for example";
const DEDUP: &str = "brackets: write `dedup(window = \"10m\")`, for example";

/// What needs more than its own tokens to become a call of the builder.
pub(super) struct Policy {
    pub(super) by: Option<Field>,
    pub(super) dedup: Option<Dedup>,
    pub(super) batch: Option<Batch>,
    /// The name of the method that gets what no attempt has settled.
    pub(super) on_exhausted: Option<Ident>,
}

/// For how long a message's key is remembered.
pub(super) struct Dedup {
    /// A duration.
    pub(super) window: TokenStream,
    /// `None`: by the id that its sender gave it.
    pub(super) by: Option<Field>,
}

/// How large a batch is.
pub(super) struct Batch {
    /// Where the option stands.
    pub(super) span: Span,
    /// A call of the builder.
    pub(super) call: TokenStream,
}

/// A field of the payload, `user_id` or `user.id`, at the place of the string that names it.
pub(super) struct Field {
    pub(super) names: Vec<Ident>,
    pub(super) span: Span,
}

/// Reads what needs the payload's type, and the calls that do not.
pub(super) fn read(options: &mut Options, problems: &mut Problems) -> (Policy, TokenStream) {
    let mut calls = retry::read(options, problems);
    calls.extend(dead_letter(options, problems));
    let policy = Policy {
        by: field(options, problems),
        dedup: dedup(options, problems),
        batch: batch(options, problems),
        on_exhausted: options.method("on_exhausted", "the name of a method of this block", problems),
    };
    (policy, calls)
}

fn dead_letter(options: &mut Options, problems: &mut Problems) -> TokenStream {
    const CURE: &str = "true or false: false drops a message after its last attempt, and counts it";
    let dead_letter = options.truth("dead_letter", CURE, problems);
    dead_letter.map(|dead_letter| quote!(.dead_letter(#dead_letter))).unwrap_or_default()
}

fn dedup(options: &mut Options, problems: &mut Problems) -> Option<Dedup> {
    let mut dedup = options.brackets("dedup", DEDUP, problems)?;
    let by = field(&mut dedup, problems);
    let has_window = dedup.names().any(|name| name == "window");
    let window = dedup.duration("window", problems).map(literal);
    if !has_window {
        problems.here(dedup.span(), "`dedup` needs a window: write `dedup(window = \"10m\")`, for example");
    }
    dedup.finish("window, by", problems);
    Some(Dedup { window: window?, by })
}

fn batch(options: &mut Options, problems: &mut Problems) -> Option<Batch> {
    let mut batch = options.brackets("batch", BATCH, problems)?;
    let span = batch.span();
    let size = settings::number("size", &mut batch, problems);
    let wait = batch.duration("wait", problems).map(literal);
    batch.finish("size, wait", problems);
    let size = size.unwrap_or_else(|| quote!(::formicary::BatchOptions::MOST));
    let wait = wait.unwrap_or_else(|| quote!(::formicary::BatchOptions::WAIT));
    Some(Batch { span, call: quote!(.batch(#size, #wait)) })
}

/// `by = "user_id"`.
fn field(options: &mut Options, problems: &mut Problems) -> Option<Field> {
    const CURE: &str = "the name of a field of the payload in quotes, such as \"user_id\"";
    let (text, span) = options.string("by", CURE, problems)?;
    let names = text.split('.').map(|name| crate::names::member(name, span)).collect::<Option<Vec<_>>>();
    if names.is_none() {
        problems.here(span, format!("`by` takes {CURE}"));
    }
    names.map(|names| Field { names, span })
}
