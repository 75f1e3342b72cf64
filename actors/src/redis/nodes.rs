//! The nodes of a Redis Cluster, each with a connection of its own. Of a single server there is one.
//!
//! Which node has a key is learnt from the servers: a node that has it not says who has (`MOVED`), and nothing is done
//! there then. The first node is the one of the URL: the state of the adapter is the state of its connection.

use super::{CommandError, Connection, Endpoint, Job, Line, Reply, Script, Settings};
use bytes::Bytes;
use fred::util::redis_keyslot;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};
use tokio::time::Instant;

/// A command follows so many redirections; a cluster that says more of them about one key contradicts itself.
pub const MOST_REDIRECTIONS: usize = 5;

/// The way to every node.
pub struct Nodes<J: Job> {
    home: Rc<Node<J>>,
    known: RefCell<Known<J>>,
    open: Box<dyn Fn(Endpoint, String, Settings) -> Connection>,
}

struct Known<J: Job> {
    /// Who has a slot, where it is not the home node. There are 16,384 slots.
    owners: BTreeMap<u16, Address>,
    others: BTreeMap<Address, Rc<Node<J>>>,
    /// How many other nodes were ever opened.
    opened: u64,
}

type Address = (String, u16);

/// One node.
pub struct Node<J: Job> {
    /// 0 for the home node.
    number: u64,
    /// Everything but the blocking reads goes over this one.
    pub connection: Connection,
    /// What is to be sent.
    pub line: Line<J>,
}

impl<J: Job> Node<J> {
    fn new(number: u64, connection: Connection) -> Rc<Self> {
        Rc::new(Self { number, line: Line::new(connection.clone()), connection })
    }

    /// Two equal ones are one unbroken connection to one node.
    pub fn generation(&self) -> (u64, u64) {
        (self.number, self.connection.generation())
    }
}

impl<J: Job> Nodes<J> {
    /// The node of the URL. `open` opens a connection to another, with its role.
    pub fn new(home: Connection, open: impl Fn(Endpoint, String, Settings) -> Connection + 'static) -> Self {
        let known = Known { owners: BTreeMap::new(), others: BTreeMap::new(), opened: 0 };
        Self { home: Node::new(0, home), known: RefCell::new(known), open: Box::new(open) }
    }

    /// The connection to the node of the URL.
    pub fn home(&self) -> &Connection {
        &self.home.connection
    }

    /// The node that has a key, as far as is known.
    pub fn of(&self, key: &[u8]) -> Rc<Node<J>> {
        let known = self.known.borrow();
        if known.owners.is_empty() {
            return self.home.clone();
        }
        let owner = known.owners.get(&redis_keyslot(key)).and_then(|owner| known.others.get(owner));
        owner.unwrap_or(&self.home).clone()
    }

    /// Another connection to the node that has a key.
    pub fn open_another(&self, key: &[u8], role: String, settings: Settings) -> Connection {
        (self.open)(self.of(key).connection.endpoint().clone(), role, settings)
    }

    /// Notes where a node, which was `asked`, says that a key is. `true`: ask there.
    pub fn moved(&self, asked: &Endpoint, error: &CommandError) -> bool {
        let Some((slot, (host, port))) = moved(error) else { return false };
        let home = self.home().endpoint();
        // Of a node whose name it does not know it says only the port: the name is that under which it was asked.
        let host = if ["", "?"].contains(&&*host) { asked.host.clone() } else { host };
        let mut known = self.known.borrow_mut();
        let Known { owners, others, opened } = &mut *known;
        if (&host, port) == (&home.host, home.port) {
            owners.remove(&slot);
        } else {
            let owner = (host, port);
            others.entry(owner.clone()).or_insert_with(|| {
                let endpoint = Endpoint { host: owner.0.clone(), port, ..home.clone() };
                let role = format!("broker node {}:{port}", owner.0);
                *opened += 1;
                Node::new(*opened, (self.open)(endpoint, role, self.home().shared.settings.clone()))
            });
            owners.insert(slot, owner);
        }
        known.drop_unneeded();
        true
    }

    /// A command for this key came to nothing. If its node is away, the slot may have another one since: the home node is
    /// asked next.
    pub fn failed(&self, key: &[u8], error: &CommandError) {
        let refused = matches!(error, CommandError::Refused { .. });
        if !refused && !self.of(key).connection.shared.gate.is_open() {
            let mut known = self.known.borrow_mut();
            known.owners.remove(&redis_keyslot(key));
            known.drop_unneeded();
        }
    }

    /// Whether a connection goes to the node that has a key, as far as is known.
    pub fn is_at(&self, connection: &Connection, key: &[u8]) -> bool {
        let there = self.of(key);
        let (here, there) = (connection.endpoint(), there.connection.endpoint());
        (&here.host, here.port) == (&there.host, there.port)
    }

    /// Runs a script where its first key is.
    pub async fn run(
        &self,
        script: &Script,
        keys: &[Bytes],
        args: &[Bytes],
        within: Duration,
    ) -> Result<Reply, CommandError> {
        let deadline = Instant::now() + within;
        let first = keys.first().map_or(&[][..], |key| key);
        for _ in 0..=MOST_REDIRECTIONS {
            let connection = self.of(first).connection.clone();
            match connection.run(script, keys, args, deadline.saturating_duration_since(Instant::now())).await {
                Err(error) if self.moved(connection.endpoint(), &error) => {}
                Err(error) => {
                    self.failed(first, &error);
                    return Err(error);
                }
                done => return done,
            }
        }
        Err(CommandError::NotSent(format!("the cluster redirected the command more than {MOST_REDIRECTIONS} times")))
    }

    fn all(&self) -> Vec<Rc<Node<J>>> {
        let others = self.known.borrow().others.values().cloned().collect::<Vec<_>>();
        std::iter::once(self.home.clone()).chain(others).collect()
    }

    /// Returns when nothing waits in any line and nothing is out.
    pub async fn idle(&self) {
        for node in self.all() {
            node.line.idle().await;
        }
    }

    /// Closes every connection, as [`Connection::close`] does.
    pub async fn close(&self, deadline: Instant) {
        for node in self.all() {
            node.connection.close(deadline.saturating_duration_since(Instant::now())).await;
        }
    }
}

impl<J: Job> Known<J> {
    fn drop_unneeded(&mut self) {
        let needed: BTreeSet<_> = self.owners.values().collect();
        self.others.retain(|address, _| needed.contains(address));
    }
}

/// `MOVED 3999 127.0.0.1:6381`.
fn moved(error: &CommandError) -> Option<(u16, Address)> {
    let CommandError::Refused { code, message } = error else { return None };
    let mut words = message.split_whitespace().skip(1);
    let (slot, address) = (words.next()?, words.next()?);
    let (host, port) = address.rsplit_once(':')?;
    let address = (host.to_owned(), port.parse().ok()?);
    (code == "MOVED").then_some((slot.parse().ok()?, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_is_read() {
        let moved = |text: &str| moved(&CommandError::refused(text));
        assert_eq!(moved("MOVED 3999 127.0.0.1:6381"), Some((3999, ("127.0.0.1".to_owned(), 6381))));
        assert_eq!(moved("MOVED 1 ::1:6381"), Some((1, ("::1".to_owned(), 6381))));
        assert_eq!(moved("MOVED 1 :6381"), Some((1, (String::new(), 6381))));
        assert_eq!(moved("MOVED 1 ?:6381"), Some((1, ("?".to_owned(), 6381))));
        for other in ["MOVED", "MOVED x y:1", "MOVED 1 host:", "ASK 3999 127.0.0.1:6381", "ERR no", ""] {
            assert_eq!(moved(other), None, "{other}");
        }
    }
}
