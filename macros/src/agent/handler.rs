//! One marked method.

use proc_macro2::{Ident, TokenStream};
use syn::spanned::Spanned;
use syn::{Attribute, ImplItemFn, Meta};

use super::kind::{self, Kind};
use super::mark::Mark;
use super::reserved;
use super::signature::{self, Signature};
use crate::options::Options;
use crate::problems::Problems;

/// A method with everything that the builder is told about it.
pub(super) struct Handler {
    pub(super) method: Ident,
    pub(super) kind: Kind,
    /// Calls on what the builder returns.
    pub(super) settings: TokenStream,
    pub(super) signature: Signature,
    /// The method's `#[cfg]`s.
    pub(super) cfgs: Vec<Attribute>,
}

/// Reads a method; `None` when it is not marked, or wrong.
pub(super) fn read(method: &ImplItemFn, marks: Vec<Mark>, problems: &mut Problems) -> Option<Handler> {
    let mut marks = marks.into_iter();
    let mark = marks.next()?;
    if let Some(second) = marks.next() {
        let (first, word) = (mark.word, second.word);
        let text = format!("a method is one kind of handler: take #[{first}] or #[{word}] away");
        problems.at(second.attribute.path(), text);
        return None;
    }
    let tokens = match &mark.attribute.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(pair) => {
            problems.at(pair, format!("options stand in brackets: write #[{}(..)]", mark.word));
            return None;
        }
    };
    let mut options = Options::parse(mark.word, mark.attribute.path().span(), tokens, problems);
    let blocking = options.flag("blocking", problems);
    let word = kind::word(mark.word, &mut options, problems)?;
    reserved::refuse(&mut options, word, problems);
    let (kind, settings) = kind::read(word, options, problems)?;
    if let Some(blocking) = blocking.as_ref().filter(|_| !kind.may_block()) {
        let text =
            "a hook or a server is never `blocking`: hand what blocks to `tokio::task::spawn_blocking` inside of it";
        problems.at(blocking, text);
        return None;
    }
    let signature = signature::read(&method.sig, &format!("#[{}]", mark.word), &kind, blocking.is_some(), problems)?;
    Some(Handler { method: method.sig.ident.clone(), kind, settings, signature, cfgs: cfgs(method) })
}

/// The method's `#[cfg]`s.
pub(super) fn cfgs(method: &ImplItemFn) -> Vec<Attribute> {
    method.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}
