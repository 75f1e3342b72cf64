//! Programs that end with this process, however it ends.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

type Order = (Command, SyncSender<io::Result<Child>>);

/// Starts `command` so that the system kills it when this process ends, be it by a signal. What asks the system for
/// that is `setpriv` of util-linux; where it is missing, the program is started as it is.
///
/// The system ends a program with the *thread* that started it, and the thread of a test ends before its process:
/// so a thread that never ends starts them all.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                reply.send(command.spawn()).ok();
            }
        });
        Mutex::new(sender)
    });
    let gone = || io::Error::other("the thread that starts programs is gone");
    let (reply, started) = sync_channel(1);
    let sender = starter.lock().unwrap_or_else(PoisonError::into_inner).clone();
    sender.send((command, reply)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}

/// The same command behind `setpriv`. To be called before anything but program, arguments and environment is set.
pub(super) fn bind(command: Command) -> Command {
    const SETPRIV: &str = "/usr/bin/setpriv";
    if !Path::new(SETPRIV).is_file() {
        return command;
    }
    let mut bound = Command::new(SETPRIV);
    bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bound.current_dir(folder);
    }
    bound
}
