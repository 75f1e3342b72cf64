//! The folder of a node: its data, its logs, its settings, and an installation without what the tests never use.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Program;
use crate::process::Child;

/// The ports of a node, all of 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) amqp: u16,
    /// Of Erlang's distribution, by which `rabbitmqctl` comes.
    pub(super) erlang: u16,
    /// Of Erlang's port mapper.
    pub(super) mapper: u16,
}

#[derive(Debug)]
pub(super) struct Home {
    // Dropped before the folder, which it would remove otherwise.
    _cleaner: Child,
    folder: TempDir,
    ports: Ports,
}

impl Home {
    pub(super) fn make(program: &Program, ports: Ports, settings: &[String]) -> io::Result<Home> {
        let folder = tempfile::Builder::new().prefix("formicary-rabbitmq-").tempdir()?;
        let path = folder.path();
        fs::write(path.join("rabbitmq.conf"), settings.join("\n") + "\n")?;
        fs::write(path.join("enabled_plugins"), "[].\n")?;
        let cookie = path.join(".erlang.cookie");
        fs::write(&cookie, path.file_name().unwrap_or_default().as_encoded_bytes())?;
        fs::set_permissions(&cookie, Permissions::from_mode(0o400))?;
        install(program, &path.join("installation"))?;
        Ok(Home { _cleaner: cleaner(path), folder, ports })
    }

    /// `rabbitmq-server` or `rabbitmqctl`, told which node and which folder are meant.
    pub(super) fn command(&self, program: &Program, name: &str) -> Command {
        let mut command = Command::new(program.script(name));
        let at = |name: &str| self.folder.path().join(name);
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.env("RABBITMQ_NODENAME", self.node()).env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
        command.env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"));
        command.env("RABBITMQ_MNESIA_BASE", at("data")).env("RABBITMQ_LOG_BASE", at("log"));
        command.env("RABBITMQ_LOGS", self.log_file()).env("RABBITMQ_GENERATED_CONFIG_DIR", at("config"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins"));
        command.env("RABBITMQ_SCRIPTS_DIR", at("installation/sbin"));
        command.env("RABBITMQ_PLUGINS_DIR", at("installation/plugins"));
        command.env("RABBITMQ_DIST_PORT", self.ports.erlang.to_string());
        command.env("ERL_EPMD_PORT", self.ports.mapper.to_string()).env("ERL_EPMD_ADDRESS", "127.0.0.1");
        // On other terminals it sets a title, in the middle of what it prints.
        command.env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
        command
    }

    pub(super) fn node(&self) -> String {
        format!("formicary-{}@localhost", self.ports.amqp)
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log/rabbit.log")
    }
}

/// Removes the folder when this process ends without having done so: a node in a `static` is never dropped. What ends the
/// tests from a terminal, or by `timeout`, is sent to it too.
fn cleaner(folder: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP INT TERM; cat >/dev/null; rm -rf -- \"$0\" || rm -rf -- \"$0\""]).arg(folder);
    Child::spawn(command)
}

/// A node reads every plugin that is installed when it starts, enabled or not. Without them it starts in half the time.
fn install(program: &Program, here: &Path) -> io::Result<()> {
    fs::create_dir_all(here.join("plugins"))?;
    for folder in ["sbin", "escript"] {
        symlink(program.root().join(folder), here.join(folder))?;
    }
    for entry in fs::read_dir(program.root().join("plugins"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("rabbitmq_") || name.starts_with("rabbitmq_prelaunch") {
            symlink(entry.path(), here.join("plugins").join(name))?;
        }
    }
    Ok(())
}
