//! `#[agent]`: from marked methods to calls of the builder.

mod emit;
mod exhausted;
mod handler;
mod kind;
mod mark;
mod policy;
mod receiver;
mod reserved;
mod retry;
mod settings;
mod signature;
mod types;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{ImplItem, Item, ItemImpl};

use crate::options::Options;
use crate::problems::Problems;
use handler::Handler;

/// `#[receiver]` and its like outside an `#[agent]` block.
pub(crate) fn misplaced(word: &str, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    problems.here(Span::call_site(), format!("#[{word}] belongs on a method inside an #[agent] impl block"));
    let error = problems.into_tokens();
    quote!(#error #item)
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let (name, layers) = own_options(arguments, &mut problems);
    let Some(mut block) = block(item.clone(), &mut problems) else {
        let error = problems.into_tokens();
        return quote!(#error #item);
    };
    if let Some(lifetime) = block.generics.lifetimes().next() {
        problems.at(lifetime, "an agent owns its data: take the lifetime away");
        let error = problems.into_tokens();
        let _ = handlers(&mut block, &mut Problems::default());
        return quote!(#error #block);
    }
    let handlers = handlers(&mut block, &mut problems);
    if problems.is_empty() {
        let implementation = emit::implementation(&block, name.as_deref(), &layers, &handlers);
        quote!(#block #implementation)
    } else {
        // An agent without handlers, so that the places where it is spawned are not reported too.
        let implementation = emit::implementation(&block, None, &TokenStream::new(), &[]);
        let errors = problems.into_tokens();
        quote!(#errors #block #implementation)
    }
}

/// The agent's name, and its layers.
fn own_options(arguments: TokenStream, problems: &mut Problems) -> (Option<String>, TokenStream) {
    let mut options = Options::parse("agent", Span::call_site(), arguments, problems);
    let name = options.string("name", "the agent's name in quotes", problems);
    let layers = settings::layers(&mut options, problems);
    options.finish("name, layer", problems);
    if let Some((name, span)) = &name
        && let Err(error) = formicary_protocol::check_sender(name)
    {
        problems.here(*span, error);
    }
    (name.map(|(name, _)| name), layers)
}

fn block(item: TokenStream, problems: &mut Problems) -> Option<ItemImpl> {
    match syn::parse2::<Item>(item) {
        Ok(Item::Impl(block)) => match &block.trait_ {
            None => Some(block),
            Some((_, path, _)) => {
                problems.at(path, "#[agent] belongs on an inherent impl block: take the trait away");
                None
            }
        },
        Ok(_) => {
            problems.here(Span::call_site(), "#[agent] belongs on the impl block that holds the handlers");
            None
        }
        Err(error) => problems.keep(Err(error)),
    }
}

/// Reads the marked methods, and those that they name, and takes the marks away.
fn handlers(block: &mut ItemImpl, problems: &mut Problems) -> Vec<Handler> {
    let (mut handlers, mut marked) = (Vec::new(), Vec::new());
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item {
            let marks = mark::take(&mut method.attrs);
            if !marks.is_empty() {
                marked.push(method.sig.ident.clone());
            }
            handlers.extend(handler::read(method, marks, problems));
        }
    }
    let named: Vec<_> =
        handlers.iter().filter_map(|handler| exhausted::read(handler, block, &marked, problems)).collect();
    handlers.extend(named);
    handlers
}

#[cfg(test)]
mod tests;
