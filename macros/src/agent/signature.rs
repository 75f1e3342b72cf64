//! The signature of a handler: its turn, its payload, its extractors and what it returns.

mod payload;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{FnArg, GenericParam, ReturnType, Type};

use super::kind::Kind;
use super::types::{bare, last_name, not_owned};
use crate::problems::Problems;
pub(super) use payload::Payload;

/// How a handler gets at its agent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Read,
    Write,
    /// No turn: it is given a `Handle`.
    Handle,
    /// No turn and no agent: it blocks, on a pool.
    Blocking,
}

/// An argument that is extracted.
pub(super) struct Extractor {
    pub(super) ty: Type,
    /// Whether the method takes it by `&`.
    pub(super) borrowed: bool,
}

/// What a handler takes and returns.
pub(super) struct Signature {
    pub(super) turn: Turn,
    pub(super) payload: Option<Payload>,
    pub(super) extractors: Vec<Extractor>,
    pub(super) output: Type,
}

struct Reader<'a> {
    /// What errors call the handler: `#[consumer]`.
    what: &'a str,
    kind: &'a Kind,
    blocking: bool,
    problems: &'a mut Problems,
}

pub(super) fn read(
    signature: &syn::Signature,
    what: &str,
    kind: &Kind,
    blocking: bool,
    problems: &mut Problems,
) -> Option<Signature> {
    let mut reader = Reader { what, kind, blocking, problems };
    reader.head(signature)?;
    let mut inputs = signature.inputs.iter().peekable();
    let takes_self = matches!(inputs.peek(), Some(FnArg::Receiver(_)));
    let first = if takes_self { inputs.next() } else { None };
    let mut types = inputs.filter_map(|input| match input {
        FnArg::Typed(typed) => Some(bare(&typed.ty)),
        FnArg::Receiver(_) => None,
    });
    let turn = match kind {
        Kind::PostStart | Kind::Server => reader.handle(signature, first, types.next())?,
        _ if blocking => reader.no_agent(first)?,
        _ => reader.turn(signature, first)?,
    };
    let payload = match kind {
        Kind::Receiver(_) | Kind::Consumer { .. } | Kind::Exhausted { .. } => {
            Some(reader.payload(signature, types.next())?)
        }
        _ => None,
    };
    let extractors = types.map(|ty| reader.extractor(ty)).collect::<Vec<_>>();
    let output = reader.output(signature)?;
    Some(Signature { turn, payload, extractors: extractors.into_iter().collect::<Option<_>>()?, output })
}

impl Reader<'_> {
    fn refuse<T>(&mut self, place: &impl Spanned, text: impl std::fmt::Display) -> Option<T> {
        self.problems.at(place, text);
        None
    }

    fn refuse_at<T>(&mut self, span: Span, text: impl std::fmt::Display) -> Option<T> {
        self.problems.here(span, text);
        None
    }

    fn head(&mut self, signature: &syn::Signature) -> Option<()> {
        if let Some(word) = &signature.unsafety {
            return self.refuse(word, "a handler is safe to call: take `unsafe` away");
        }
        if let Some(abi) = &signature.abi {
            return self.refuse(abi, "a handler is a Rust function: take `extern` away");
        }
        match &signature.asyncness {
            Some(word) if self.blocking => {
                return self.refuse(
                    word,
                    "a blocking handler is a plain fn: take `async` away, and wait inside with `formicary::block_on`; or take `blocking` away",
                );
            }
            None if !self.blocking => return self.not_async(signature),
            _ => {}
        }
        match signature.generics.params.iter().find(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
            Some(parameter) => self.refuse(
                parameter,
                "a handler has no type parameters: name the types, or make the agent itself generic",
            ),
            None => Some(()),
        }
    }

    fn not_async(&mut self, signature: &syn::Signature) -> Option<()> {
        let text = if self.kind.may_block() {
            "a handler is an `async fn`: write `async`, or the option `blocking` for a plain fn that runs on a pool"
        } else {
            "a handler is an `async fn`: write `async`"
        };
        self.refuse(&signature.fn_token, text)
    }

    fn no_agent(&mut self, first: Option<&FnArg>) -> Option<Turn> {
        if let Some(FnArg::Receiver(receiver)) = first {
            return self.refuse(
                receiver,
                "a blocking handler runs on a pool, without the agent: give it what it needs through the payload or an extractor, or take `blocking` away",
            );
        }
        Some(Turn::Blocking)
    }

    fn turn(&mut self, signature: &syn::Signature, first: Option<&FnArg>) -> Option<Turn> {
        const CURE: &str = "`&self` for a read turn, or `&mut self` for a write turn";
        let Some(FnArg::Receiver(receiver)) = first else {
            return self.refuse(&signature.ident, format!("{} needs {CURE}, as its first argument", self.what));
        };
        match &*receiver.ty {
            Type::Reference(reference) if reference.mutability.is_some() => Some(Turn::Write),
            Type::Reference(_) => Some(Turn::Read),
            _ => self.refuse(receiver, format!("a handler does not own its agent: take {CURE}")),
        }
    }

    fn handle(&mut self, signature: &syn::Signature, first: Option<&FnArg>, next: Option<&Type>) -> Option<Turn> {
        let what = if matches!(self.kind, Kind::Server) { "#[server]" } else { "#[on(post_start)]" };
        if let Some(receiver) = first {
            return self.refuse(
                receiver,
                format!("{what} takes no turn: take `me: Handle<Self>` instead, and `me.with(|agent| ..)` inside"),
            );
        }
        match next {
            Some(ty) if last_name(ty).as_deref() == Some("Handle") => Some(Turn::Handle),
            Some(ty) => self.refuse(ty, format!("the first argument of {what} is the handle: write `Handle<Self>`")),
            None => self.refuse(&signature.ident, format!("{what} needs the handle: write `me: Handle<Self>`")),
        }
    }

    fn extractor(&mut self, ty: &Type) -> Option<Extractor> {
        let (inner, borrowed) = match ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                return self.refuse(ty, "an extractor is taken by value or by `&`: take `mut` away");
            }
            Type::Reference(reference) => (bare(&reference.elem), true),
            other => (other, false),
        };
        let unsized_type =
            matches!(inner, Type::Slice(_) | Type::TraitObject(_)) || last_name(inner).as_deref() == Some("str");
        if unsized_type {
            return self.refuse(ty, "this is not an extractor: name a type that implements `Extract`");
        }
        if let Some(span) = not_owned(inner) {
            return self
                .refuse_at(span, "an extractor owns its data, and its type is named: take the `&` or `impl` away");
        }
        Some(Extractor { ty: inner.clone(), borrowed })
    }

    fn output(&mut self, signature: &syn::Signature) -> Option<Type> {
        let ReturnType::Type(_, ty) = &signature.output else {
            return Some(syn::parse_quote!(()));
        };
        if let Some(span) = not_owned(ty) {
            return self.refuse_at(
                span,
                "what a handler returns owns its data, and its type is named: `Result<String>`, for example",
            );
        }
        Some((**ty).clone())
    }
}
