//! The comment agent: counts the comments of each user, answers with the count, and mails each comment.

use std::cell::RefCell;
use std::collections::HashMap;

use formicary::prelude::*;

use crate::chaos::Chaos;
use crate::{queues, signals};

/// So many users are counted; anybody may send signals, and memory is not for sale.
const MOST_USERS: usize = 100_000;

pub struct CommentAgent {
    /// In a cell, so that `count` takes a read turn: its mails go out beside each other.
    counts: RefCell<HashMap<u64, u64>>,
    chaos: Chaos,
}

impl CommentAgent {
    pub fn new(chaos: Chaos) -> Self {
        Self { counts: RefCell::default(), chaos }
    }

    fn add(&self, user_id: u64) {
        let mut counts = self.counts.borrow_mut();
        if counts.len() < MOST_USERS || counts.contains_key(&user_id) {
            *counts.entry(user_id).or_default() += 1;
        }
    }
}

#[agent]
impl CommentAgent {
    #[receiver]
    async fn count(&self, comment: signals::UserComment, mailer: Push<queues::Mailer>) -> Result {
        self.chaos.signal();
        let user_id = comment.user_id;
        self.add(user_id);
        let mail = queues::Mailer { text: "Comment".to_owned(), email: format!("user{user_id}@example.org") };
        Ok(mailer.send(&mail).await?)
    }

    #[receiver]
    async fn rpc_count(&self, ask: signals::RpcCommentsCount) -> Result<u64> {
        Ok(self.counts.borrow().get(&ask.user_id).copied().unwrap_or(0))
    }
}
