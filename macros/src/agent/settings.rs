//! Options that become calls on what the builder returns.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::options::Options;
use crate::problems::Problems;

/// `.timeout(..)`.
pub(super) fn timeout(options: &mut Options, problems: &mut Problems) -> TokenStream {
    duration("timeout", options, problems)
}

/// `.start_after(..)`.
pub(super) fn start_after(options: &mut Options, problems: &mut Problems) -> TokenStream {
    duration("start_after", options, problems)
}

/// `.concurrency(..)` and the like.
pub(super) fn count(name: &str, options: &mut Options, problems: &mut Problems) -> TokenStream {
    let method = quote::format_ident!("{name}");
    number(name, options, problems).map(|number| quote!(.#method(#number))).unwrap_or_default()
}

/// A number of things, as an expression.
pub(super) fn number(name: &str, options: &mut Options, problems: &mut Problems) -> Option<TokenStream> {
    let number = options.count::<NonZeroUsize>(name, "a whole number from 1 up", problems)?;
    let above_one = number.get() - 1;
    Some(quote!(::core::num::NonZeroUsize::MIN.saturating_add(#above_one)))
}

/// `.rate(..)`.
pub(super) fn rate(options: &mut Options, problems: &mut Problems) -> TokenStream {
    let cure = format!("how many runs may begin in a second: a whole number from 1 to {}", u32::MAX);
    let Some(rate) = options.count::<NonZeroU32>("rate", &cure, problems) else {
        return TokenStream::new();
    };
    let above_one = rate.get() - 1;
    quote!(.rate(::core::num::NonZeroU32::MIN.saturating_add(#above_one)))
}

/// `.layer(..)` for each.
pub(super) fn layers(options: &mut Options, problems: &mut Problems) -> TokenStream {
    let layers = options.values("layer", "a layer: write `layer = slow()`, for example", problems);
    layers.into_iter().map(checked).map(|layer| quote!(.layer(#layer))).collect()
}

/// `.overlap(..)`.
pub(super) fn overlap(options: &mut Options, problems: &mut Problems) -> TokenStream {
    const CURE: &str = "\"skip\", \"queue\" or \"allow\"";
    let Some((word, span)) = options.string("overlap", CURE, problems) else {
        return TokenStream::new();
    };
    match word.as_str() {
        "skip" => quote!(.overlap(::formicary::Overlap::Skip)),
        "queue" => quote!(.overlap(::formicary::Overlap::Queue)),
        "allow" => quote!(.overlap(::formicary::Overlap::Allow)),
        _ => {
            problems.here(span, format!("`overlap` takes {CURE}"));
            TokenStream::new()
        }
    }
}

/// The layer, so that the compiler says at its place, and in a few lines, when it is none.
fn checked(layer: TokenStream) -> TokenStream {
    let place = layer.clone().into_iter().next().map_or_else(Span::call_site, |tree| tree.span());
    quote_spanned!(place=> <() as ::formicary::__private::IsLayer<_>>::give(#layer))
}

fn duration(name: &str, options: &mut Options, problems: &mut Problems) -> TokenStream {
    let Some(duration) = options.duration(name, problems) else {
        return TokenStream::new();
    };
    let (method, duration) = (quote::format_ident!("{name}"), literal(duration));
    quote!(.#method(#duration))
}

/// A duration as an expression.
pub(super) fn literal(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
