//! The flags.

use std::num::NonZeroUsize;

pub const HELP: &str = "\
Usage: cargo bench --bench idle_agents -- [--quick] [--agents N]

Starts many agents in this process, lets them idle, sends all of them one signal, and stops them. Prints the memory
that the process holds, how long start and stop take, and the targets.

  --quick      1,000 agents, for a check that it runs; no target is held against it
  --agents N   how many agents, 1 to 1000000 (default 100000)
  --help       this text

Examples:
  cargo bench --bench idle_agents
  cargo bench --bench idle_agents -- --agents 10000";

const DEFAULT: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
const QUICK: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
const MOST: usize = 1_000_000;

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    Run(NonZeroUsize),
    Help,
    Wrong(String),
}

/// The targets are those of a hundred thousand agents.
pub fn has_targets(agents: NonZeroUsize) -> bool {
    agents == DEFAULT
}

pub fn parse(mut arguments: impl Iterator<Item = String>) -> Asked {
    let mut agents = None;
    let mut quick = false;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--quick" => quick = true,
            "--help" | "-h" => return Asked::Help,
            "--agents" => match arguments.next().and_then(|n| n.parse().ok()).and_then(NonZeroUsize::new) {
                Some(n) if n.get() <= MOST => agents = Some(n),
                _ => return Asked::Wrong(format!("--agents takes a number from 1 to {MOST}")),
            },
            other => return Asked::Wrong(format!("unknown argument {other}")),
        }
    }
    Asked::Run(agents.unwrap_or(if quick { QUICK } else { DEFAULT }))
}
