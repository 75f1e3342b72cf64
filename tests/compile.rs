//! What the macros take, and what they say to what they refuse.
//!
//! Every error in `ui/*.stderr` has at most 8 lines of at most 160 columns. The compiler's suggestion of another field, which
//! repeats the user's line, is not counted. To write the files anew after a change of the texts, run the test with
//! `TRYBUILD=overwrite`.

#![allow(clippy::unwrap_used, reason = "a test says best by a panic what is missing")]

use std::path::{Path, PathBuf};

const LINES: usize = 8;
const COLUMNS: usize = 160;

const REFUSED: [&str; 14] = [
    "blocking",
    "blocking_types",
    "declare",
    "derives",
    "exhausted",
    "filters",
    "layers",
    "options",
    "places",
    "policy",
    "policy_types",
    "receivers",
    "signatures",
    "types",
];

#[test]
fn wrong_use_is_refused_and_right_use_compiles() {
    lay_out_documents();
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass_*.rs");
    for refused in REFUSED {
        cases.compile_fail(format!("tests/ui/{refused}.rs"));
    }
}

#[test]
fn errors_are_short() {
    for path in files("stderr") {
        let text = std::fs::read_to_string(&path).unwrap();
        let found = too_long(&text);
        assert!(found.is_empty(), "{}:\n{}", path.display(), found.join("\n"));
    }
}

#[test]
fn long_errors_are_noticed() {
    let lines = |count: usize| format!("error: a\n{}", "  |\n".repeat(count - 1));
    assert_eq!(too_long(&lines(LINES)), Vec::<String>::new());
    assert_eq!(too_long(&lines(LINES + 1)).len(), 1);
    assert_eq!(too_long(&format!("{}\n{}", lines(2), lines(LINES + 1))).len(), 1);
    assert_eq!(too_long(&format!("error: {}", "x".repeat(COLUMNS))).len(), 1);
    let suggestion = "help: a field with a similar name exists\n  |\n1 - a\n1 + b";
    assert_eq!(too_long(&format!("{}{suggestion}", lines(LINES))), Vec::<String>::new());
    assert_eq!(too_long(&format!("{}{suggestion}", lines(LINES + 1))).len(), 1);
}

/// The errors that break a bound. Empty lines part errors.
fn too_long(text: &str) -> Vec<String> {
    let parts = text.split("\n\n").map(str::trim_end).filter(|part| !part.is_empty());
    parts
        .filter(|part| lines_of(part) > LINES || part.lines().any(|line| line.chars().count() > COLUMNS))
        .map(|part| format!("an error of {} lines, or too wide a one:\n{part}", part.lines().count()))
        .collect()
}

fn lines_of(error: &str) -> usize {
    error.lines().take_while(|line| *line != "help: a field with a similar name exists").count()
}

/// `declare!` reads from the directory of a package, which is one that trybuild makes.
fn lay_out_documents() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let package = target.join("tests/trybuild").join(env!("CARGO_PKG_NAME"));
    std::fs::create_dir_all(&package).unwrap();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("signals.json");
    for path in files("json").into_iter().chain([shared]) {
        std::fs::copy(&path, package.join(path.file_name().unwrap())).unwrap();
    }
}

fn files(extension: &str) -> Vec<PathBuf> {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let entries = std::fs::read_dir(ui).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    found.sort();
    assert!(!found.is_empty(), "no *.{extension} in tests/ui");
    found
}
