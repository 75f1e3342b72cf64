//! The document on disk, and its mistakes in a few lines.

use std::path::PathBuf;

use formicary_protocol::{Declarations, Error};
use proc_macro2::TokenStream;
use quote::quote;

/// The compiler adds four lines to an error and puts its text behind `error: `.
const LINES: usize = 4;
const COLUMNS: usize = 150;

pub(super) struct Document {
    path: PathBuf,
    pub(super) text: String,
}

/// Reads a document whose path is relative to the package's directory.
pub(super) fn read(name: &str) -> Result<Document, String> {
    let scheme = name.split_once(':').map(|(scheme, _)| scheme.trim().to_ascii_lowercase());
    if let Some(scheme @ ("http" | "https")) = scheme.as_deref() {
        // A build must not change with the network. The compiler shows the URL itself.
        let cure = "save the document beside Cargo.toml and name its path here";
        let other = "a program that runs may load it with `formicary::Remote`";
        return Err(format!("declare! reads a file, and nothing from {scheme}:\n  {cure}; {other}"));
    }
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let path = package.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Document { path, text }),
        Err(error) => {
            let problem = format!("{error}; the path is relative to the directory of Cargo.toml");
            Err(report(&format!("cannot read {name:?}"), &[problem]))
        }
    }
}

impl Document {
    pub(super) fn declarations(&self, name: &str) -> Result<Declarations, String> {
        Declarations::parse(&self.text, name).map_err(|error| match error {
            Error::Declarations { problems, .. } => mistakes(name, &problems),
            other => report(name, &[other.to_string()]),
        })
    }

    /// Makes the compiler read the file too, so that a change of it builds the package again.
    pub(super) fn tracked(&self) -> TokenStream {
        match self.path.to_str() {
            Some(path) => quote!(
                const _: &[u8] = ::core::include_bytes!(#path);
            ),
            None => TokenStream::new(),
        }
    }
}

/// The error for a document with mistakes.
pub(super) fn mistakes(name: &str, problems: &[String]) -> String {
    let count = match problems.len() {
        1 => "1 mistake".to_owned(),
        many => format!("{many} mistakes"),
    };
    report(&format!("{name:?} has {count}"), problems)
}

/// A line for each problem, as many as there is room for.
fn report(head: &str, problems: &[String]) -> String {
    let room = LINES - 1;
    let shown = if problems.len() > room { room - 1 } else { problems.len() };
    let mut text = cut(&format!("{head}:"));
    for problem in &problems[..shown] {
        text.push_str("\n  ");
        text.push_str(&cut(&problem.replace('\n', " ")));
    }
    if shown < problems.len() {
        text.push_str(&format!("\n  ... and {} more", problems.len() - shown));
    }
    text
}

fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.to_owned();
    }
    line.chars().take(COLUMNS - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_mistakes_are_all_shown_and_many_are_cut() {
        let problems = |count: usize| (0..count).map(|index| format!("signals[{index}]: wrong")).collect::<Vec<_>>();
        assert_eq!(mistakes("a.json", &problems(1)), "\"a.json\" has 1 mistake:\n  signals[0]: wrong");
        assert_eq!(mistakes("a.json", &problems(3)).lines().count(), LINES);
        let many = mistakes("a.json", &problems(9));
        assert_eq!(many.lines().count(), LINES);
        assert!(many.ends_with("\n  ... and 7 more"), "{many}");
    }

    #[test]
    fn a_url_is_refused_with_the_cure_and_not_repeated() {
        for name in ["https://ann:secret@host/a.json", "HTTP://ann:secret@host"] {
            let text = read(name).err().unwrap();
            assert!(text.starts_with("declare! reads a file, and nothing from http"), "{text}");
            assert!(text.contains("name its path here") && !text.contains("secret"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let text = mistakes("a.json", &["x".repeat(400)]);
        assert!(text.lines().all(|line| line.chars().count() <= 152), "{text}");
        assert!(text.ends_with("..."));
    }
}
