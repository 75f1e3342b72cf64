//! A Redis Cluster of three nodes.

use std::time::Duration;

use super::{Options, Server};
use crate::port::Port;
use crate::wait;

const SLOTS: u16 = 16_384;
const FORM: Duration = Duration::from_secs(20);

/// Three nodes on ports of 127.0.0.1, without replicas: the first third of the slots belongs to the first node, and so on.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
    // The nodes talk to each other there.
    _buses: Vec<Port>,
}

impl Cluster {
    /// How many nodes there are.
    pub const NODES: u16 = 3;

    /// Starts the nodes and returns when each serves its slots.
    ///
    /// # Panics
    ///
    /// When a node does not start, or they do not find each other within 20 s.
    pub async fn start() -> Self {
        Self::start_with(Server::options()).await
    }

    /// Starts the nodes, each with these settings.
    ///
    /// # Panics
    ///
    /// As [`Cluster::start`].
    pub async fn start_with(options: Options) -> Self {
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..Self::NODES {
            let bus = Port::take();
            let options = options.clone().arg("--cluster-enabled").arg("yes").arg("--cluster-port");
            nodes.push(options.arg(&bus.number().to_string()).start().await);
            buses.push(bus);
        }
        let own = |node: u16| {
            (SLOTS / Self::NODES * node, if node + 1 == Self::NODES { SLOTS } else { SLOTS / Self::NODES * (node + 1) })
        };
        for (node, number) in nodes.iter().zip(0..) {
            let (first, end) = own(number);
            ask(node, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(end - 1).to_string()]).await;
        }
        for (node, bus) in nodes.iter().zip(&buses).skip(1) {
            let (port, bus) = (node.port().to_string(), bus.number().to_string());
            ask(&nodes[0], &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
        }
        let all = format!("cluster_known_nodes:{}\r\n", Self::NODES);
        for node in &nodes {
            wait::until(FORM, format!("the cluster as {node:?} sees it"), async || {
                let info = ask(node, &["CLUSTER", "INFO"]).await;
                info.contains("cluster_state:ok\r\n") && info.contains(&all)
            })
            .await;
        }
        Self { nodes, _buses: buses }
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// The node that has a key.
    ///
    /// # Panics
    ///
    /// When the server does not tell the key's slot.
    pub async fn owner(&self, key: &str) -> &Server {
        let slot = self.nodes[0].command(&["CLUSTER", "KEYSLOT", key]).await;
        let slot = slot.ok().and_then(|slot| slot.integer()).and_then(|slot| u16::try_from(slot).ok());
        let slot = slot.unwrap_or_else(|| panic!("no slot of the key {key}"));
        &self.nodes[usize::from(slot / (SLOTS / Self::NODES)).min(self.nodes.len() - 1)]
    }
}

async fn ask(node: &Server, command: &[&str]) -> String {
    let reply = node.command(command).await.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    reply.text().unwrap_or_default()
}
