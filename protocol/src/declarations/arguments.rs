//! Reading arguments and their types.

use super::document::Node;
use super::parse::Reader;
use super::{Argument, TypeName, Types};
use crate::text::{MAX_QUOTED, shorten};

impl Reader {
    /// Arguments as a list of names, or as an object of names and types, of which the first `known` are allowed.
    pub(super) fn arguments(&mut self, place: &str, node: &Node, known: usize) -> Vec<Argument> {
        let mut arguments: Vec<Argument> = Vec::new();
        match node {
            Node::Array(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    let at = format!("{place}[{index}]");
                    let Some(name) = self.string(&at, node) else {
                        continue;
                    };
                    if arguments.iter().any(|argument| argument.name == name) {
                        self.note(&at, format!("{name:?} is listed twice: remove one"));
                    } else if name.is_empty() {
                        self.note(&at, "an argument needs a name");
                    } else {
                        arguments.push(Argument { name, types: Types::Any });
                    }
                }
            }
            Node::Object(entries) => {
                self.repeated(place, entries);
                for (name, node) in entries {
                    let types = self.types(&format!("{place}.{name}"), node, known);
                    arguments.push(Argument { name: name.clone(), types });
                }
            }
            other => self.note(
                place,
                format!("expected a list of names, or an object of names and types, found {}", other.describe()),
            ),
        }
        arguments
    }

    /// `types` says more about arguments that `providing_args` names.
    pub(super) fn refine(&mut self, place: &str, node: &Node, arguments: &mut [Argument]) {
        let Node::Object(entries) = node else {
            return self.note(place, format!("expected an object of names and types, found {}", node.describe()));
        };
        self.repeated(place, entries);
        for (name, node) in entries {
            let at = format!("{place}.{name}");
            let types = self.types(&at, node, TypeName::ALL.len());
            match arguments.iter_mut().find(|argument| argument.name == *name) {
                None => self.note(&at, "is not one of `providing_args`: add it there, or remove it here"),
                Some(argument) if !within(&types, &argument.types) => {
                    let problem = format!("{types} contradicts `providing_args`, which says {}", argument.types);
                    self.note(&at, problem);
                }
                Some(argument) => argument.types = types,
            }
        }
    }

    fn types(&mut self, place: &str, node: &Node, known: usize) -> Types {
        let Node::Array(nodes) = node else {
            return self.type_name(place, node, known).map_or(Types::Any, |name| Types::one_of(&[name]));
        };
        if nodes.is_empty() {
            self.note(place, "an empty list allows nothing: name at least one type");
        }
        let mut names = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            names.extend(self.type_name(&format!("{place}[{index}]"), node, known));
        }
        Types::one_of(&names)
    }

    pub(super) fn type_name(&mut self, place: &str, node: &Node, known: usize) -> Option<TypeName> {
        let Node::String(word) = node else {
            self.note(place, format!("expected the name of a type, found {}", node.describe()));
            return None;
        };
        let name = TypeName::from_name(word);
        let allowed = &TypeName::ALL[..known];
        if let Some(name) = name.filter(|name| allowed.contains(name)) {
            return Some(name);
        }
        let words: Vec<_> = allowed.iter().map(|name| name.as_str()).collect();
        let cure = if name.is_some() { "; Python does not know it here, so put it into `types`" } else { "" };
        let word = shorten(word, MAX_QUOTED);
        self.note(place, format!("unknown type {word:?}, one of {}{cure}", words.join(", ")));
        None
    }
}

/// Whether every type of `refined` is one that `declared` allows.
fn within(refined: &Types, declared: &Types) -> bool {
    match (refined, declared) {
        (_, Types::Any) | (Types::Any, _) => true,
        (Types::OneOf(refined), Types::OneOf(declared)) => {
            refined.iter().all(|name| declared.iter().any(|plain| *plain == name.plain()))
        }
    }
}
