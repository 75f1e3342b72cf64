use crate::agent::chain::Chain;
use crate::agent::instance::Core;
use crate::agent::turns::{Guard, Turn};

/// Waits for the rate and the turn of a consumer's handling; `None` when the agent stops. In an instance that has crashed
/// nothing begins any more: what its lanes hold is handed on to the next one, with all else and in the old order.
pub(super) async fn take_turn(core: &Core, chain: &Chain, turn: Turn, waits: impl Fn()) -> Option<Guard> {
    let begin = async {
        chain.wait_for_rate().await;
        match core.turns.try_take(turn) {
            Some(turn) => turn,
            None => {
                waits();
                core.turns.take(turn).await
            }
        }
    };
    let turn = tokio::select! {
        biased;
        () = core.cx.stopping_flag().raised() => return None,
        turn = begin => turn,
    };
    if core.crash.has_happened() {
        std::future::pending::<()>().await;
    }
    Some(turn)
}
