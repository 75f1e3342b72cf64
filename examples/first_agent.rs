//! A first agent: counts the users that it sees, and says so. Stop it with Ctrl-C.

use formicary::prelude::*;

formicary::declare!("signals.json");

#[derive(Default)]
struct Greeter {
    seen: u64,
}

#[agent]
impl Greeter {
    #[receiver]
    async fn greet(&mut self, user: signals::UserCreated, from: SentBy) {
        self.seen += 1;
        println!("{from} created user {}: {} so far", user.user_id, self.seen);
    }

    #[periodic("1s")]
    async fn create(&self, created: Publish<signals::UserCreated>) -> Result {
        created.send(&signals::UserCreated { user_id: self.seen + 1 }).await?;
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    tracing_subscriber::fmt().init();
    formicary::run(Group::builder().declarations(declarations()).agent(Greeter::default))
}
