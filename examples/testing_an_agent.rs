//! An agent and its tests, without a server and without waiting: `cargo test --example testing_an_agent`.

use formicary::prelude::*;

formicary::declare!("signals.json");

/// Welcomes users by mail.
#[derive(Default)]
struct Welcomer {
    welcomed: u64,
}

#[agent]
impl Welcomer {
    #[receiver]
    async fn welcome(
        &mut self,
        user: signals::UserCreated,
        comments: Call<signals::RpcCommentsCount>,
        mailer: Push<queues::Mailer>,
    ) -> Result {
        // Nobody waits for the number: without it the mail is shorter.
        let count = comments.first(&signals::RpcCommentsCount { user_id: user.user_id }).await.unwrap_or_default();
        let text = format!("Welcome, user {}! You have {count} comments.", user.user_id);
        mailer.send(&queues::Mailer { text, email: format!("user{}@example.org", user.user_id) }).await?;
        self.welcomed += 1;
        Ok(())
    }

    #[consumer(queues::Mailer)]
    async fn deliver(&self, mail: queues::Mailer) -> Result {
        if !mail.email.contains('@') {
            return Err(format!("`{}` is no address", mail.email).into());
        }
        println!("to {}: {}", mail.email, mail.text);
        Ok(())
    }

    #[periodic("15s")]
    async fn report(&self, created: Publish<signals::UserCreated>) -> Result {
        created.send(&signals::UserCreated { user_id: self.welcomed + 1 }).await?;
        Ok(())
    }
}

fn main() {
    println!("This example is its tests: cargo test --example testing_an_agent");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use formicary::protocol::DeadReason;
    use formicary::testing::{Harness, Received};
    use formicary::{CallError, SendError};

    use super::*;

    /// The agent alone, on a bus and a broker that record. Whatever waits takes no time.
    async fn welcomer() -> Harness<Welcomer> {
        tokio::time::pause();
        Harness::of(Welcomer::default).declarations(declarations()).start().await.expect("an agent that starts")
    }

    #[actix::test]
    async fn a_new_user_is_welcomed() -> Result {
        let agent = welcomer().await;
        agent.bus().answer::<signals::RpcCommentsCount>(3);
        agent.signal("user_agent", &signals::UserCreated { user_id: 7 }).await?;

        assert_eq!(agent.bus().assert_called_once::<signals::RpcCommentsCount>().user_id, 7);
        let mail = agent.broker().assert_pushed_once::<queues::Mailer>();
        assert_eq!(mail.text, "Welcome, user 7! You have 3 comments.");
        assert_eq!(agent.with(|agent| agent.welcomed).await, 1);
        agent.stop().await;
        Ok(())
    }

    #[actix::test]
    async fn a_number_that_nobody_knows_is_no_reason_not_to_welcome() -> Result {
        let agent = welcomer().await;
        let signal = "rpc_comments_count".to_owned();
        agent
            .bus()
            .fail_call::<signals::RpcCommentsCount>(CallError::Timeout { signal, after: Duration::from_secs(10) });
        agent.signal("user_agent", &signals::UserCreated { user_id: 7 }).await?;
        assert!(agent.broker().assert_pushed_once::<queues::Mailer>().text.ends_with("You have 0 comments."));
        agent.stop().await;
        Ok(())
    }

    #[actix::test]
    async fn without_a_broker_nobody_counts_as_welcomed() {
        let agent = welcomer().await;
        agent.broker().fail_send::<queues::Mailer>(SendError::not_sent("no connection"));
        let error = agent.signal("user_agent", &signals::UserCreated { user_id: 7 }).await.unwrap_err();
        assert_eq!(error.to_string(), "not sent: no connection");
        assert_eq!(agent.with(|agent| agent.welcomed).await, 0);
        agent.stop().await;
    }

    #[actix::test]
    async fn a_mail_without_an_address_is_retried_and_dies_at_last() {
        let agent = welcomer().await;
        let mail = queues::Mailer { text: "Hello".into(), email: "nowhere".into() };
        let settled = agent.message::<queues::Mailer>(&mail).await;
        assert_eq!(settled.assert_retried(), "`nowhere` is no address");
        let settled = agent.message_as::<queues::Mailer>(&mail, Received::new().attempt(5)).await;
        settled.assert_dead(DeadReason::Exhausted);
        agent.stop().await;
    }

    #[actix::test]
    async fn the_report_names_the_next_user() -> Result {
        let agent = welcomer().await;
        agent.with_mut(|agent| agent.welcomed = 41).await;
        agent.tick("report").await?;
        assert_eq!(agent.bus().assert_sent_once::<signals::UserCreated>().user_id, 42);
        agent.stop().await;
        Ok(())
    }
}
