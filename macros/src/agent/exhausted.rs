//! The methods that `on_exhausted` names.

use formicary_protocol::__private::nearest;
use proc_macro2::{Ident, TokenStream};
use syn::{ImplItem, ImplItemFn, ItemImpl};

use super::handler::{Handler, cfgs};
use super::kind::Kind;
use super::signature;
use crate::problems::Problems;

const CURE: &str = "write `async fn give_up(&self, mail: queues::Mailer, why: Exhausted)`, for example";

/// Reads the method that a consumer names; `None` when it names none, or a wrong one.
pub(super) fn read(consumer: &Handler, block: &ItemImpl, marked: &[Ident], problems: &mut Problems) -> Option<Handler> {
    let Kind::Consumer { queue, policy } = &consumer.kind else { return None };
    let name = policy.on_exhausted.as_ref()?;
    if marked.contains(name) {
        let text = format!("`{name}` is a handler already: `on_exhausted` takes a method without an attribute");
        problems.at(name, text);
        return None;
    }
    let Some(method) = methods(block).find(|method| method.sig.ident == *name) else {
        let unmarked = methods(block).map(|method| method.sig.ident.to_string());
        let unmarked: Vec<_> = unmarked.filter(|name| marked.iter().all(|marked| marked != name)).collect();
        let known: Vec<_> = unmarked.iter().map(String::as_str).collect();
        let cure = nearest(&name.to_string(), &known)
            .map_or_else(|| CURE.to_owned(), |near| format!("did you mean `{near}`?"));
        problems.at(name, format!("this block has no method `{name}`: {cure}"));
        return None;
    };
    let payload = consumer.signature.payload.as_ref().map(|payload| &payload.ty);
    let kind = Kind::Exhausted { queue: queue.as_ref().or(payload)?.clone() };
    let what = format!("`{name}`, which `on_exhausted` names,");
    let signature = signature::read(&method.sig, &what, &kind, false, problems)?;
    let cfgs = consumer.cfgs.iter().cloned().chain(cfgs(method)).collect();
    Some(Handler { method: name.clone(), kind, settings: TokenStream::new(), signature, cfgs })
}

fn methods(block: &ItemImpl) -> impl Iterator<Item = &ImplItemFn> {
    block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) => Some(method),
        _ => None,
    })
}
