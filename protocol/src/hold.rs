//! Rust types held against the declarations.

use crate::{Argument, Error, Field, FieldKind, Queue, QueueDeclaration, Signal, SignalDeclaration, TypeName, Types};

impl SignalDeclaration {
    /// Holds the fields of a struct against the arguments.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] with every field that does not fit: of another type, not declared, or missing.
    pub fn hold(&self, fields: &[Field]) -> Result<(), Error> {
        conclude("signal", &self.name, compare(&self.arguments, fields))
    }

    /// Holds a Rust type and its answer against this declaration.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] with everything that does not fit.
    pub fn hold_signal<S: Signal>(&self) -> Result<(), Error> {
        let mut problems = compare(&self.arguments, &S::fields());
        if let Err(Error::Held { problems: answer, .. }) = self.hold_answer(&S::answer_kind()) {
            problems.extend(answer);
        }
        conclude("signal", &self.name, problems)
    }
}

impl SignalDeclaration {
    /// Holds what a handler answers against the declared answer; without one, everything fits.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] when the handler's type is another.
    pub fn hold_answer(&self, kind: &FieldKind) -> Result<(), Error> {
        let (inner, _) = without_option(kind);
        let problem = self.answer.filter(|answer| !covers(inner, *answer));
        let problem = problem.map(|answer| format!("the answer is {}, the declaration says {answer}", named(kind)));
        conclude("signal", &self.name, problem.into_iter().collect())
    }
}

impl QueueDeclaration {
    /// Holds the fields of a struct against `message`; without one, everything fits.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] with every field that does not fit: of another type, not declared, or missing.
    pub fn hold(&self, fields: &[Field]) -> Result<(), Error> {
        let declared = self.message.as_deref();
        conclude("queue", &self.name, declared.map_or_else(Vec::new, |declared| compare(declared, fields)))
    }

    /// Holds a Rust type against this declaration; one that takes any value always fits.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] with every field that does not fit.
    pub fn hold_queue<Q: Queue>(&self) -> Result<(), Error> {
        Q::fields().map_or(Ok(()), |fields| self.hold(&fields))
    }
}

fn conclude(what: &str, name: &str, problems: Vec<String>) -> Result<(), Error> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Held { name: format!("{what} {name:?}"), problems })
}

fn compare(arguments: &[Argument], fields: &[Field]) -> Vec<String> {
    let declared = |name: &str| arguments.iter().find(|argument| argument.name == name);
    let wrong = fields.iter().filter_map(|field| match declared(field.name) {
        None => Some(format!("field {} is not declared", field.name)),
        Some(argument) => misfit(field, &argument.types),
    });
    let missing = arguments
        .iter()
        .filter(|argument| !fields.iter().any(|field| field.name == argument.name))
        .map(|argument| format!("field {} is missing, the declaration says {}", argument.name, argument.types));
    wrong.chain(missing).collect()
}

fn misfit(field: &Field, types: &Types) -> Option<String> {
    let Types::OneOf(names) = types else {
        return None;
    };
    let (inner, optional) = without_option(&field.kind);
    let says = || format!("field {} is {}, the declaration says {types}", field.name, named(&field.kind));
    let covered = |name: &TypeName| covers(inner, *name) || (optional && *name == TypeName::Null);
    if optional && !types.nullable() {
        return Some(format!("{}: take the Option away", says()));
    }
    match names.iter().find(|name| !covered(name)) {
        None => None,
        Some(TypeName::Null) if names.len() > 1 => Some(format!("{}: make it an Option", says())),
        Some(_) => Some(says()),
    }
}

fn named(kind: &FieldKind) -> String {
    let name = kind.to_string();
    let article = if name.starts_with(['a', 'i', 'O']) { "an" } else { "a" };
    format!("{article} {name}")
}

fn without_option(kind: &FieldKind) -> (&FieldKind, bool) {
    match kind {
        FieldKind::Optional(inner) => (inner, true),
        kind => (kind, false),
    }
}

/// Whether a Rust type can hold a declared type. A plain `number` may be narrowed; a width that is declared may not.
fn covers(kind: &FieldKind, name: TypeName) -> bool {
    match kind {
        FieldKind::Any => true,
        FieldKind::Bool => name == TypeName::Boolean,
        FieldKind::Integer { signed, bits } => name == TypeName::Number || name.integer() == Some((*signed, *bits)),
        FieldKind::Float => matches!(name, TypeName::Number | TypeName::F32 | TypeName::F64),
        FieldKind::Number => name.plain() == TypeName::Number,
        FieldKind::String => name == TypeName::String,
        FieldKind::Array => name == TypeName::Array,
        FieldKind::Object => name == TypeName::Object,
        FieldKind::Null => name == TypeName::Null,
        FieldKind::Optional(inner) => name == TypeName::Null || covers(inner, name),
    }
}
