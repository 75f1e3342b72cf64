//! The email agent: delivers the mails of the queue `mailer` into the outbox.

use std::sync::Arc;
use std::time::Duration;

use formicary::prelude::*;

use crate::chaos::Chaos;
use crate::outbox::{Line, Outbox};
use crate::queues;

pub struct EmailAgent {
    pub outbox: Option<Arc<Outbox>>,
    pub delay: Duration,
    pub chaos: Chaos,
}

#[agent]
impl EmailAgent {
    #[consumer(queues::Mailer)]
    async fn deliver(&self, mail: queues::Mailer, delivery: Delivery) -> Result {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.chaos.mail().await?;
        if let Some(outbox) = &self.outbox {
            let (text, email) = (&mail.text, &mail.email);
            // Before the mail is acknowledged: a mail may stand in the outbox twice, and is never missing.
            outbox.append(&Line { text, email, message_id: delivery.id(), attempt: delivery.attempt() })?;
        }
        Ok(())
    }
}
