//! Declarations as text, near to how they stand in the document.

use std::fmt;

use super::{Argument, QueueDeclaration, SignalDeclaration, Types};

impl fmt::Display for SignalDeclaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"name": {:?}, "providing_args": {}"#, self.name, Arguments(&self.arguments))?;
        if let Some(answer) = self.answer {
            write!(f, r#", "answer": "{answer}""#)?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for QueueDeclaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"name": {:?}"#, self.name)?;
        if let Some(exchange) = &self.exchange {
            write!(f, r#", "exchange": {exchange:?}"#)?;
        }
        if !self.topics.is_empty() {
            write!(f, r#", "topics": {:?}"#, self.topics)?;
        }
        if let Some(message) = &self.message {
            write!(f, r#", "message": {}"#, Arguments(message))?;
        }
        f.write_str("}")
    }
}

/// A list of names when no type is known, else an object.
struct Arguments<'a>(&'a [Argument]);

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = self.0.iter().any(|argument| argument.types != Types::Any);
        f.write_str(if typed { "{" } else { "[" })?;
        for (index, argument) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{:?}", argument.name)?;
            if typed {
                write!(f, ": {}", words(&argument.types))?;
            }
        }
        f.write_str(if typed { "}" } else { "]" })
    }
}

fn words(types: &Types) -> String {
    match types {
        Types::Any => r#""any""#.to_owned(),
        Types::OneOf(names) => match names.as_slice() {
            [one] => format!(r#""{one}""#),
            many => format!("{:?}", many.iter().map(|name| name.as_str()).collect::<Vec<_>>()),
        },
    }
}
