//! The flags.

pub const HELP: &str = "\
Usage: cargo bench --bench footprint -- [--quick] [--profile NAME]

Builds examples/smallest_consumer with each profile, strips it, and runs it on a Redis server that is started for it.
Prints the size of the binary, and the memory that it holds when idle and after 10,000 messages.

  --quick          the profile release only, and 500 messages, for a check that it runs
  --profile NAME   this profile only (default: release, then small)
  --help           this text

Examples:
  cargo bench --bench footprint
  cargo bench --bench footprint -- --profile small";

/// What a run does.
#[derive(Debug)]
pub struct Options {
    pub profiles: Vec<String>,
    pub messages: usize,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    Run(Options),
    Help,
    Wrong(String),
}

pub fn parse(mut arguments: impl Iterator<Item = String>) -> Asked {
    let (mut quick, mut profile) = (false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--quick" => quick = true,
            "--help" | "-h" => return Asked::Help,
            "--profile" => match arguments.next() {
                Some(name) => profile = Some(name),
                None => return Asked::Wrong("--profile takes the name of a profile".to_owned()),
            },
            other => return Asked::Wrong(format!("unknown argument {other}")),
        }
    }
    let all: &[&str] = if quick { &["release"] } else { &["release", "small"] };
    let profiles = profile.map_or_else(|| all.iter().map(|name| (*name).to_owned()).collect(), |name| vec![name]);
    Asked::Run(Options { profiles, messages: if quick { 500 } else { 10_000 } })
}
