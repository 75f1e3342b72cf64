//! Which RabbitMQ is on this machine.

use std::fs;
use std::path::{Path, PathBuf};

/// An installation of RabbitMQ.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The folder that holds `sbin`, `plugins` and `escript`.
    root: PathBuf,
}

/// The `rabbitmq-server` to run: `FORMICARY_RABBITMQ_SERVER`, else where Debian's package has it, else the first on the `PATH`.
pub(crate) fn program() -> Option<Program> {
    if let Some(named) = std::env::var_os("FORMICARY_RABBITMQ_SERVER").filter(|named| !named.is_empty()) {
        return Program::of(Path::new(&named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![PathBuf::from("/usr/lib/rabbitmq/bin"), PathBuf::from("/usr/sbin")];
    folders.extend(std::env::split_paths(&path));
    folders.iter().find_map(|folder| Program::of(&folder.join("rabbitmq-server")))
}

impl Program {
    fn of(script: &Path) -> Option<Program> {
        let mut script = script.canonicalize().ok()?;
        // What Debian puts on the PATH is for its service: it changes to a user and a folder of its own.
        if script.file_name()? == "rabbitmq-script-wrapper" {
            script = script.with_file_name("rabbitmq-server").canonicalize().ok()?;
        }
        let root = script.parent()?.parent()?.to_owned();
        script.is_file().then_some(Program { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The path of `sbin/<name>`.
    pub(super) fn script(&self, name: &str) -> PathBuf {
        self.root.join("sbin").join(name)
    }

    /// Major and minor version, read from the name of the plugin `rabbit`: to ask the program takes seconds.
    pub(crate) fn version(&self) -> Option<(u32, u32)> {
        let plugins = fs::read_dir(self.root.join("plugins")).ok()?;
        let names = plugins.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let version = names.filter_map(|name| Some(name.strip_prefix("rabbit-")?.to_owned())).next()?;
        let mut numbers = version.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}
