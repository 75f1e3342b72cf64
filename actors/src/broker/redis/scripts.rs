use crate::redis::Script;

/// The scripts. They do not roll back: each checks types before it writes, and copies before it removes. None returns a
/// bare list that begins with bytes of others, which the driver could take for a message of pub/sub.
pub(super) struct Scripts {
    pub(super) open: Script,
    pub(super) take: Script,
    pub(super) held: Script,
    pub(super) settle: Script,
    pub(super) delay: Script,
    pub(super) inspect: Script,
    pub(super) peek: Script,
    pub(super) purge: Script,
    pub(super) replay: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            open: Script::new(include_str!("scripts/open.lua")),
            take: Script::new(include_str!("scripts/take.lua")),
            held: Script::new(include_str!("scripts/held.lua")),
            settle: Script::new(include_str!("scripts/settle.lua")),
            delay: Script::new(include_str!("scripts/delay.lua")),
            inspect: Script::new(include_str!("scripts/inspect.lua")),
            peek: Script::new(include_str!("scripts/peek.lua")),
            purge: Script::new(include_str!("scripts/purge.lua")),
            replay: Script::new(include_str!("scripts/replay.lua")),
        }
    }
}
