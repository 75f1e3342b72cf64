//! The way to a setting, as an error names it.

use std::fmt;

/// One step, with the way that leads to it. It lives on the stack of the reader.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

/// A key may be anything; this much of it is shown.
const MOST: usize = 60;

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(&shown(key)),
            Path::Key(parent, key) => write!(f, "{parent}.{}", shown(key)),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A key, escaped and cut short.
pub(super) fn shown(key: &str) -> String {
    let mut letters = key.chars();
    let mut text: String = letters.by_ref().take(MOST).flat_map(char::escape_debug).collect();
    if letters.next().is_some() {
        text.push('…');
    }
    text
}
