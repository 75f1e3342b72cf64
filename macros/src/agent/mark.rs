//! The attributes that mark methods.

use syn::Attribute;

const WORDS: [&str; 6] = ["receiver", "consumer", "periodic", "cron", "on", "server"];

/// One of our attributes.
pub(super) struct Mark {
    pub(super) word: &'static str,
    pub(super) attribute: Attribute,
}

/// Takes our attributes out of a method's.
pub(super) fn take(attributes: &mut Vec<Attribute>) -> Vec<Mark> {
    let (ours, others): (Vec<_>, Vec<_>) = std::mem::take(attributes).into_iter().partition(|one| word(one).is_some());
    *attributes = others;
    ours.into_iter().filter_map(|attribute| word(&attribute).map(|word| Mark { word, attribute })).collect()
}

/// `#[receiver]` and `#[formicary::receiver]`.
fn word(attribute: &Attribute) -> Option<&'static str> {
    let segments = &attribute.path().segments;
    let last = &segments.last()?.ident;
    let ours = match segments.len() {
        1 => true,
        2 => segments[0].ident == "formicary",
        _ => false,
    };
    WORDS.into_iter().find(|word| ours && last == word)
}
