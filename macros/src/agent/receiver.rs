//! What a receiver hears.

use proc_macro2::TokenStream;
use syn::Type;

use crate::options::Options;
use crate::problems::Problems;

const FILTER: &str = "a function `fn(&Payload) -> bool`: write `filter = Self::is_large`, for example";
const SIGNALS: &str =
    "names or patterns in quotes: write `signals = \"user_*\"` or `signals = [\"user_*\", \"audit\"]`";

/// The signals of a receiver, beside or instead of the type of its payload, and which of them it handles.
pub(super) struct Hears {
    pub(super) signals: Vec<Type>,
    /// Names and patterns.
    pub(super) texts: Vec<String>,
    /// Whether the payload's type says which signal it is.
    pub(super) is_by_type: bool,
    /// A `fn(&Payload) -> bool`.
    pub(super) filter: Option<TokenStream>,
}

pub(super) fn read(options: &mut Options, problems: &mut Problems) -> Hears {
    let signals = options.paths();
    let is_by_type = signals.is_empty() && !options.names().any(|name| name == "signals");
    let texts = options.strings("signals", SIGNALS, problems);
    Hears { signals, texts, is_by_type, filter: options.expression("filter", FILTER, problems) }
}
