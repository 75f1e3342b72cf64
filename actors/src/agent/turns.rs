//! Turns: handlers that borrow `&self` run beside each other, one that borrows `&mut self` runs alone, in the order in
//! which they came.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::oneshot;

/// How a handler borrows its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// `&self`: beside others.
    Read,
    /// `&mut self`: alone.
    Write,
    /// Not at all: servers, `post_start` and `blocking` handlers wait for nobody, and nobody for them.
    None,
}

/// Who has the turn, and who waits for one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    readers: usize,
    writing: bool,
    waiting: VecDeque<(Turn, oneshot::Sender<Guard>)>,
}

/// A turn that was granted; dropping it passes the turn on.
#[derive(Debug)]
pub(crate) struct Guard {
    turns: Turns,
    turn: Turn,
}

impl Turns {
    /// A turn, if it need not be waited for.
    pub(crate) fn try_take(&self, turn: Turn) -> Option<Guard> {
        let mut state = self.0.borrow_mut();
        let free = turn == Turn::None || (state.waiting.is_empty() && state.is_free(turn));
        if !free {
            return None;
        }
        state.grant(turn);
        Some(self.guard(turn))
    }

    /// Waits for a turn. Dropping the future leaves the line.
    pub(crate) async fn take(&self, turn: Turn) -> Guard {
        if let Some(guard) = self.try_take(turn) {
            return guard;
        }
        let (sender, granted) = oneshot::channel();
        self.0.borrow_mut().waiting.push_back((turn, sender));
        match granted.await {
            Ok(guard) => guard,
            // The line is only dropped together with the instance, and with it this future.
            Err(_) => std::future::pending().await,
        }
    }

    /// A read turn before all that wait: for a request of the agent's own, whose caller holds a read turn and would
    /// otherwise wait for a writer that waits for the caller.
    pub(crate) fn overtake(&self) -> Option<Guard> {
        let mut state = self.0.borrow_mut();
        if state.writing {
            return None;
        }
        state.readers += 1;
        Some(self.guard(Turn::Read))
    }

    fn guard(&self, turn: Turn) -> Guard {
        Guard { turns: self.clone(), turn }
    }

    fn pass_on(&self) {
        loop {
            let mut state = self.0.borrow_mut();
            while state.waiting.front().is_some_and(|(_, waiter)| waiter.is_closed()) {
                state.waiting.pop_front();
            }
            let Some((turn, _)) = state.waiting.front() else { return };
            let turn = *turn;
            if !state.is_free(turn) {
                return;
            }
            let Some((_, waiter)) = state.waiting.pop_front() else { return };
            state.grant(turn);
            // A waiter that has left gives its guard back, which calls this function again: not under the borrow.
            drop(state);
            drop(waiter.send(self.guard(turn)));
        }
    }
}

impl State {
    fn is_free(&self, turn: Turn) -> bool {
        !self.writing && (turn == Turn::Read || self.readers == 0)
    }

    fn grant(&mut self, turn: Turn) {
        match turn {
            Turn::Read => self.readers += 1,
            Turn::Write => self.writing = true,
            Turn::None => {}
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        {
            let mut state = self.turns.0.borrow_mut();
            match self.turn {
                Turn::Read => state.readers -= 1,
                Turn::Write => state.writing = false,
                Turn::None => return,
            }
        }
        self.turns.pass_on();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::LocalBoxFuture;

    use super::*;

    fn line(turns: &Turns, turn: Turn) -> LocalBoxFuture<'static, Guard> {
        let turns = turns.clone();
        async move { turns.take(turn).await }.boxed_local()
    }

    #[test]
    fn readers_share_and_a_writer_waits_for_all_of_them() {
        let turns = Turns::default();
        let first = line(&turns, Turn::Read).now_or_never();
        let second = line(&turns, Turn::Read).now_or_never();
        assert!(first.is_some() && second.is_some());
        let mut writer = line(&turns, Turn::Write);
        assert!((&mut writer).now_or_never().is_none());
        drop(first);
        assert!((&mut writer).now_or_never().is_none());
        drop(second);
        assert!(writer.now_or_never().is_some());
    }

    #[test]
    fn the_order_of_arrival_holds_so_a_reader_does_not_starve_a_writer() {
        let turns = Turns::default();
        let reading = line(&turns, Turn::Read).now_or_never();
        let mut writer = line(&turns, Turn::Write);
        assert!((&mut writer).now_or_never().is_none());
        let mut late = line(&turns, Turn::Read);
        assert!((&mut late).now_or_never().is_none(), "a reader overtook a writer");
        drop(reading);
        let writing = writer.now_or_never();
        assert!(writing.is_some());
        drop(writing);
        assert!(late.now_or_never().is_some());
    }

    #[test]
    fn an_own_request_overtakes_a_waiting_writer_but_not_a_running_one() {
        let turns = Turns::default();
        let reading = line(&turns, Turn::Read).now_or_never();
        let mut writer = line(&turns, Turn::Write);
        assert!((&mut writer).now_or_never().is_none());
        let nested = turns.overtake();
        assert!(nested.is_some());
        drop(reading);
        assert!((&mut writer).now_or_never().is_none());
        drop(nested);
        let writing = writer.now_or_never();
        assert!(writing.is_some() && turns.overtake().is_none());
    }

    #[test]
    fn who_leaves_the_line_holds_nobody_up() {
        let turns = Turns::default();
        let reading = line(&turns, Turn::Read).now_or_never();
        let mut writer = line(&turns, Turn::Write);
        assert!((&mut writer).now_or_never().is_none());
        let mut reader = line(&turns, Turn::Read);
        assert!((&mut reader).now_or_never().is_none());
        drop(writer);
        drop(reading);
        assert!(reader.now_or_never().is_some());
    }
}
