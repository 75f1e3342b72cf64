//! The flags.

pub const HELP: &str = "\
Usage: cargo bench --bench beside_raw -- [--quick] [--rounds N] [FILTER]

Signals, calls and queues beside the raw driver doing the same work, rounds of both in turn.

  --quick      2 rounds of a twentieth of the work, for a check that it runs; the figures say little
  --rounds N   how many rounds of each side, 1 to 1000 (default 5)
  --help       this text
  FILTER       only benchmarks whose name contains this text

Examples:
  cargo bench --bench beside_raw
  cargo bench --bench beside_raw -- --quick
  cargo bench --bench beside_raw -- 'redis calls'";

/// The work of a quick run is this part of the whole.
const QUICK: usize = 20;

/// What a run does.
#[derive(Debug)]
pub struct Options {
    pub quick: bool,
    pub rounds: usize,
    pub filter: Option<String>,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    Run(Options),
    Help,
    Wrong(String),
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Asked {
        let (mut quick, mut rounds, mut filter) = (false, None, None);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--quick" => quick = true,
                "--help" | "-h" => return Asked::Help,
                "--rounds" => match arguments.next().map(|n| n.parse()) {
                    Some(Ok(n @ 1..=1000)) => rounds = Some(n),
                    _ => return Asked::Wrong("--rounds takes a number from 1 to 1000".to_owned()),
                },
                flag if flag.starts_with('-') => return Asked::Wrong(format!("unknown flag {flag}")),
                text if filter.is_none() => filter = Some(text.to_owned()),
                text => return Asked::Wrong(format!("there is a filter already, and then {text:?}")),
            }
        }
        Asked::Run(Self { quick, rounds: rounds.unwrap_or(if quick { 2 } else { 5 }), filter })
    }

    /// How much of `whole` a round does.
    pub fn work(&self, whole: usize) -> usize {
        if self.quick { (whole / QUICK).max(1) } else { whole }
    }
}
