//! The Rust agents of several tests.

use formicary::prelude::*;
use serde_json::json;

use crate::signals;
use crate::stage::Log;

/// Writes down the signals that it hears, each decoded into its type.
pub struct Listener(pub Log);

#[agent]
impl Listener {
    #[receiver]
    async fn said(&self, said: signals::Said, from: SentBy) {
        self.0.add(json!(["said", from.as_str(), said.text]));
    }

    #[receiver]
    async fn counted(&self, counted: signals::Counted, from: SentBy) {
        self.0.add(json!(["counted", from.as_str(), counted.n]));
    }

    #[receiver]
    async fn lowered(&self, lowered: signals::Lowered, from: SentBy) {
        self.0.add(json!(["lowered", from.as_str(), lowered.n]));
    }

    #[receiver]
    async fn measured(&self, measured: signals::Measured, from: SentBy) {
        self.0.add(json!(["measured", from.as_str(), measured.n]));
    }

    #[receiver]
    async fn shown(&self, shown: signals::Shown, from: SentBy) {
        self.0.add(json!(["shown", from.as_str(), shown.value]));
    }
}

/// Answers with what it was asked.
pub struct Echo;

#[agent]
impl Echo {
    #[receiver]
    async fn ask(&self, ask: signals::Ask) -> Result<Value> {
        Ok(ask.value)
    }
}

/// On `gather`, asks all and writes down their answers; the stream lasts `.0` seconds.
pub struct Gatherer(pub f32, pub Log);

#[agent]
impl Gatherer {
    #[receiver]
    async fn gather(&self, gather: signals::Gather, ask: Call<signals::Ask>) -> Result {
        let ask = ask.within(std::time::Duration::from_secs_f32(self.0));
        let mut answers = ask.all(&signals::Ask { value: gather.value }).await?;
        while let Some(answer) = answers.next().await {
            self.1.add(answer.unwrap_or_else(|error| json!({"error": error.to_string()})));
        }
        self.1.add(json!("end"));
        Ok(())
    }
}
