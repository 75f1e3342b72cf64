use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::contract::{Reply, SettleError, Token};

/// The settlements of one message of the contract, which are answered together.
pub(crate) struct Batch {
    left: Cell<usize>,
    late: RefCell<Vec<Token>>,
    lost: Cell<usize>,
    reply: Cell<Option<Reply<Result<(), SettleError>>>>,
}

/// How one of them ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Applied,
    Late,
    Lost,
}

impl Batch {
    pub(crate) fn new(settlements: usize, reply: Reply<Result<(), SettleError>>) -> Rc<Self> {
        Rc::new(Self {
            left: Cell::new(settlements),
            late: RefCell::default(),
            lost: Cell::new(0),
            reply: Cell::new(Some(reply)),
        })
    }

    pub(crate) fn end(&self, token: Token, end: End) {
        match end {
            End::Applied => {}
            End::Late => self.late.borrow_mut().push(token),
            End::Lost => self.lost.set(self.lost.get() + 1),
        }
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0
            && let Some(reply) = self.reply.take()
        {
            let late = self.late.take();
            reply.send(match self.lost.get() {
                0 if late.is_empty() => Ok(()),
                0 => Err(SettleError::Late(late)),
                lost => Err(SettleError::Closed(lost)),
            });
        }
    }
}
