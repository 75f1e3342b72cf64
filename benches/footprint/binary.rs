//! Builds the example, and strips a copy of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

const EXAMPLE: &str = "smallest_consumer";

/// The example as cargo builds it with a profile.
pub fn build(profile: &str) -> Outcome<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "formicary", "--example", EXAMPLE, "--profile", profile]);
    command.arg("--manifest-path").arg(formicary_test_support::workspace().join("Cargo.toml"));
    let target = target_folder()?;
    command.env("CARGO_TARGET_DIR", &target);
    if !command.status()?.success() {
        return Err(format!("cargo cannot build {EXAMPLE} with the profile {profile}").into());
    }
    Ok(target.join(profile).join("examples").join(EXAMPLE))
}

/// A copy without symbols.
pub fn strip(binary: &Path, folder: &Path) -> Outcome<PathBuf> {
    let stripped = folder.join(EXAMPLE);
    std::fs::copy(binary, &stripped)?;
    match Command::new("strip").arg(&stripped).status() {
        Ok(status) if status.success() => Ok(stripped),
        _ => Err("`strip` is missing or failed: install binutils".into()),
    }
}

/// `target` for this binary, `target/release/deps/footprint-hash`.
fn target_folder() -> Outcome<PathBuf> {
    let this = std::env::current_exe()?;
    let deps = this.ancestors().find(|folder| folder.ends_with("deps"));
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    Ok(target.ok_or("this benchmark does not lie in cargo's folder: run it with cargo bench")?.to_owned())
}
