//! The user agent: welcomes users, mails a report, asks for counts of comments, and sends the demo's signals.

use std::sync::Arc;

use formicary::prelude::*;
use futures_util::future::join_all;

use crate::chaos::Chaos;
use crate::pace::Sender;
use crate::{queues, signals};

pub struct UserAgent {
    pub sender: Arc<Sender>,
    pub chaos: Chaos,
}

#[agent]
impl UserAgent {
    #[receiver]
    async fn welcome(&self, user: signals::UserCreated, mailer: Push<queues::Mailer>) -> Result {
        self.chaos.signal();
        let user_id = user.user_id;
        let mail =
            queues::Mailer { text: format!("Welcome user {user_id}"), email: format!("user{user_id}@example.org") };
        Ok(mailer.send(&mail).await?)
    }

    #[receiver]
    async fn ask(&self, comment: signals::UserComment, counts: Call<signals::RpcCommentsCount>) -> Result {
        self.chaos.signal();
        let user_id = comment.user_id;
        let count = counts.first(&signals::RpcCommentsCount { user_id }).await?;
        tracing::debug!(user_id, count, "comments");
        Ok(())
    }

    #[cron("* * * * *")]
    async fn report(&self, mailer: Push<queues::Mailer>) -> Result {
        let mail = queues::Mailer { text: "Report".to_owned(), email: "admin@example.org".to_owned() };
        Ok(mailer.send(&mail).await?)
    }

    /// Sends what the rate asks for since the tick before.
    #[periodic("50ms", timeout = "6s")]
    async fn send(&self, created: Publish<signals::UserCreated>, comments: Publish<signals::UserComment>) -> Result {
        let pairs = self.sender.due().map(async |turn| {
            created.send(&signals::UserCreated { user_id: turn.new_user }).await?;
            comments.send(&signals::UserComment { user_id: turn.commenter }).await
        });
        // All are waited for: one that is dropped may be sent all the same.
        let outcomes: Vec<Result<_, formicary::Error>> = join_all(pairs).await;
        outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
        Ok(())
    }
}
