//! `retry`: how often a message is tried, and how long it waits in between.

use std::num::NonZeroU32;
use std::time::Duration;

use formicary_protocol::__private::nearest;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::settings::literal;
use crate::options::Options;
use crate::problems::Problems;

const ATTEMPTS: &str = "how often a message is tried: a whole number from 1 up, such as 5";
const BACKOFFS: [&str; 3] = ["constant", "linear", "exponential"];

/// The options that say how long.
const WAITS: [&str; 3] = ["backoff", "first", "most"];

/// The waits of `Retry`, where not all is said.
const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(60);

/// `retry = 5`, or `retry(..)`.
pub(super) fn read(options: &mut Options, problems: &mut Problems) -> TokenStream {
    if !options.has_brackets("retry") {
        let cure = format!("{ATTEMPTS}; or brackets, `retry(attempts = 5)`");
        let attempts = options.count::<NonZeroU32>("retry", &cure, problems).map(attempts);
        return attempts.map(|attempts| quote!(.retry(::formicary::Retry::default() #attempts))).unwrap_or_default();
    }
    let Some(mut retry) = options.brackets("retry", ATTEMPTS, problems) else {
        return TokenStream::new();
    };
    let attempts = retry.count::<NonZeroU32>("attempts", ATTEMPTS, problems).map(attempts);
    let waits = waits(&mut retry, problems);
    let jitter = retry.part("jitter", problems).map(|jitter| quote!(.jitter(#jitter)));
    let judge = retry.expression("on", "a function: write `on = is_transient`, for example", problems).map(judge);
    retry.finish("attempts, backoff, first, most, jitter, on", problems);
    quote!(.retry(::formicary::Retry::#waits #attempts #jitter #judge))
}

fn attempts(attempts: NonZeroU32) -> TokenStream {
    let above_one = attempts.get() - 1;
    quote!(.attempts(::core::num::NonZeroU32::MIN.saturating_add(#above_one)))
}

/// The constructor of `Retry`.
fn waits(retry: &mut Options, problems: &mut Problems) -> TokenStream {
    if !retry.names().any(|name| WAITS.iter().any(|wait| name == wait)) {
        return quote!(default());
    }
    let place = |name: &str| retry.names().find(|other| *other == name).map(Ident::span);
    let (first_place, most_place) = (place("first"), place("most"));
    let backoff = backoff(retry, problems);
    let first = retry.duration("first", problems).unwrap_or(FIRST);
    let most = retry.duration("most", problems);
    let first_written = literal(first);
    if backoff == "constant" {
        if let Some(place) = most_place {
            problems.here(place, "`most` bounds waits that grow: take it away, or write backoff = \"exponential\"");
        }
        return quote!(constant(#first_written));
    }
    let (most, place) = (most.unwrap_or(MOST), most_place.or(first_place));
    if let Some(place) = place.filter(|_| first > most) {
        too_long(first, most, place, problems);
    }
    let (constructor, most) = (quote::format_ident!("{backoff}"), literal(most));
    quote!(#constructor(#first_written, #most))
}

fn too_long(first: Duration, most: Duration, place: Span, problems: &mut Problems) {
    let (first, most) = (humantime::format_duration(first), humantime::format_duration(most));
    problems
        .here(place, format!("the first wait, {first}, is longer than the longest, {most}: set `first` and `most`"));
}

/// Which word `backoff` is; the default when it is none of them.
fn backoff(retry: &mut Options, problems: &mut Problems) -> &'static str {
    const DEFAULT: &str = "exponential";
    const CURE: &str = "\"constant\", \"linear\" or \"exponential\"";
    let Some((word, span)) = retry.string("backoff", CURE, problems) else {
        return DEFAULT;
    };
    let known = BACKOFFS.into_iter().find(|known| *known == word);
    known.unwrap_or_else(|| {
        let meant = nearest(&word, &BACKOFFS).map(|near| format!(": did you mean \"{near}\"?"));
        problems.here(span, format!("`backoff` takes {CURE}{}", meant.unwrap_or_default()));
        DEFAULT
    })
}

/// The function, so that the compiler says at its place, and in a few lines, when it is none.
fn judge(function: TokenStream) -> TokenStream {
    let place = function.clone().into_iter().next().map_or_else(Span::call_site, |tree| tree.span());
    let judge = quote_spanned!(place=> ::formicary::__private::Judge { ask: #function }.ask);
    quote!(.on(#judge))
}
