use crate::redis::Script;

/// The scripts. They do not roll back: each checks types before it writes, and copies before it removes. None returns a
/// bare list that begins with bytes of others, which the driver could take for a message of pub/sub.
pub(super) struct Scripts {
    pub(super) open: Script,
    pub(super) turn: Script,
    pub(super) held: Script,
    pub(super) leave: Script,
    pub(super) lease: Script,
    pub(super) enter: Script,
    pub(super) reclaim: Script,
    pub(super) delay: Script,
    pub(super) seen: Script,
    pub(super) consumers: Script,
    pub(super) inspect: Script,
    pub(super) recount: Script,
    pub(super) peek: Script,
    pub(super) exhume: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            open: Script::new(include_str!("scripts/open.lua")),
            turn: Script::new(include_str!("scripts/turn.lua")),
            held: Script::new(include_str!("scripts/held.lua")),
            leave: Script::new(include_str!("scripts/leave.lua")),
            lease: Script::new(include_str!("scripts/lease.lua")),
            enter: Script::new(include_str!("scripts/enter.lua")),
            reclaim: Script::new(include_str!("scripts/reclaim.lua")),
            delay: Script::new(include_str!("scripts/delay.lua")),
            seen: Script::new(include_str!("scripts/seen.lua")),
            consumers: Script::new(include_str!("scripts/consumers.lua")),
            inspect: Script::new(include_str!("scripts/inspect.lua")),
            recount: Script::new(include_str!("scripts/recount.lua")),
            peek: Script::new(include_str!("scripts/peek.lua")),
            exhume: Script::new(include_str!("scripts/exhume.lua")),
        }
    }
}
