//! Ports that nobody else takes while a server of ours is down.
//!
//! They lie below the range from which the system serves outgoing connections: a client that keeps reconnecting to a
//! stopped server would otherwise be given that very port as its own, connect to itself, and block the restart. A lock
//! file for each port keeps parallel test processes apart.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;

use rustix::fs::{FlockOperation, flock};

const SPAN: u16 = 12_000;
const TRIES: usize = 200;

/// A port of 127.0.0.1, held until this is dropped; whether a server listens on it or not.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Takes one that is free.
    ///
    /// # Panics
    ///
    /// When none is found in 200 tries.
    pub fn take() -> Port {
        let mut last = String::new();
        for _ in 0..TRIES {
            match Port::try_take() {
                Ok(port) => return port,
                Err(error) => last = error,
            }
        }
        panic!("no free port of 127.0.0.1 found in {TRIES} tries; the last error: {last}");
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    fn try_take() -> Result<Port, String> {
        let first = first_ephemeral().saturating_sub(SPAN).max(1_024);
        let chance = RandomState::new().build_hasher().finish() % u64::from(SPAN);
        let number = first.saturating_add(u16::try_from(chance).unwrap_or(0));

        let user = rustix::process::getuid().as_raw();
        let locks = std::env::temp_dir().join(format!("formicary-test-ports-{user}"));
        fs::create_dir_all(&locks).map_err(|error| format!("{}: {error}", locks.display()))?;
        let path = locks.join(number.to_string());
        let lock = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let exclusive = FlockOperation::NonBlockingLockExclusive;
        flock(&lock, exclusive).map_err(|error| format!("{}: {error}", path.display()))?;

        TcpListener::bind(("127.0.0.1", number)).map_err(|error| format!("port {number}: {error}"))?;
        Ok(Port { number, _lock: lock })
    }
}

fn first_ephemeral() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_port_is_held_while_nobody_listens() {
        let ports: Vec<Port> = (0..50).map(|_| Port::take()).collect();
        let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
    }
}
