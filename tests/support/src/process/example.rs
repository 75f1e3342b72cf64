//! Finding the example binaries of the workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;

/// The binary of an example of the package `formicary`.
///
/// `cargo test` builds all examples first, but `cargo test --test name` does not: a binary that is missing, or older
/// than one of its sources, is built here, with the same profile and default features.
///
/// # Panics
///
/// When it can't be built; the message is cargo's.
pub fn example(name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();

    let profile = profile_folder();
    let binary = profile.join("examples").join(name);
    if !is_current(&binary) {
        build(name, &profile);
        assert!(binary.exists(), "cargo built the example {name}, but {} does not exist", binary.display());
    }
    binary
}

/// `target/debug` for a test binary `target/debug/deps/name-hash`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_else(|error| panic!("the path of this test is not known: {error}"));
    let deps = test.ancestors().find(|folder| folder.ends_with("deps"));
    match deps.and_then(Path::parent) {
        Some(profile) => profile.to_owned(),
        None => panic!("{} does not lie in cargo's deps folder", test.display()),
    }
}

/// Whether no source in cargo's list of dependencies (`name.d`) is newer than the binary.
fn is_current(binary: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let Some(built) = modified(binary) else {
        return false;
    };
    let Ok(list) = fs::read_to_string(binary.with_extension("d")) else {
        return false;
    };
    let sources = list.split_once(": ").map(|(_, sources)| sources).unwrap_or_default();
    let escaped = sources.trim().replace("\\ ", "\0");
    escaped.split(' ').all(|source| {
        let source = source.replace('\0', " ");
        modified(Path::new(&source)).is_some_and(|changed: SystemTime| changed <= built)
    })
}

fn build(name: &str, profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "formicary", "--example", name]);
    command.arg("--manifest-path").arg(crate::workspace().join("Cargo.toml"));
    match profile.file_name().and_then(|folder| folder.to_str()) {
        Some("debug") | None => {}
        Some(other) => {
            command.args(["--profile", other]);
        }
    }
    command.env("CARGO_TARGET_DIR", profile.parent().unwrap_or(profile));
    let output = command.output().unwrap_or_else(|error| panic!("can't run cargo: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo can't build the example {name}:\n{said}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_binary_older_than_one_of_its_sources_is_not_current() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (binary, source, other) = (path("demo"), path("a b.rs"), path("c.rs"));
        for file in [&source, &other, &binary] {
            fs::write(file, "").expect("a file");
        }
        let list =
            format!("{}: {} {}\n", binary.display(), source.display().to_string().replace(' ', "\\ "), other.display());
        assert!(!is_current(&binary), "no list of sources");
        fs::write(path("demo.d"), list).expect("a list");
        assert!(is_current(&binary));

        let changed = fs::File::options().write(true).open(&source).expect("the source");
        let later = SystemTime::now() + Duration::from_secs(60);
        changed.set_modified(later).expect("a time");
        assert!(!is_current(&binary), "an old binary");
        fs::remove_file(&binary).expect("a removal");
        assert!(!is_current(&binary), "no binary");
    }
}
