//! Layers stand around handlers of every kind, and `rate` spaces their runs.

use std::sync::Mutex;
use std::time::Duration;

use formicary::prelude::*;
use formicary::{Layer, layer};
use formicary_test_support::wait::until;
use tokio::time::Instant;

use crate::{declarations, queues, signals};

static NOTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes each run that begins.
fn noting(name: &'static str) -> impl Layer {
    layer(async move |run, next| {
        NOTED.lock().unwrap().push(format!("{} of {}", name, run.handler()));
        next.run().await
    })
}

#[derive(Default)]
struct Layered;

#[agent(layer = noting("first"), layer = noting("second"))]
impl Layered {
    #[on(pre_start, layer = Self::own())]
    async fn before(&mut self) {}

    #[on(post_start, layer = Self::own())]
    async fn after(_me: Handle<Self>, started: Publish<signals::Started>) -> Result {
        started.send(&signals::Started {}).await?;
        Ok(())
    }

    #[receiver(layer = noting("third"), layer = noting("fourth"))]
    async fn hear(&self, _started: signals::Started, mailer: Push<queues::Mailer>) -> Result {
        mailer.send(&queues::Mailer { text: "Hello".into(), email: "user@example.org".into() }).await?;
        Ok(())
    }

    #[consumer(layer = Self::own())]
    async fn deliver(&mut self, _mail: queues::Mailer) {}

    #[periodic("1h", layer = Self::own())]
    async fn tick(&self) {}

    #[periodic("1h", blocking, layer = Self::own())]
    fn compute() {}

    #[cron("0 0 29 2 *", layer = Self::own())]
    async fn leap(&self) {}

    #[server(layer = Self::own())]
    async fn serve(_me: Handle<Self>) -> Result {
        Ok(())
    }

    #[on(pre_stop, layer = Self::own())]
    async fn last(&self) {}

    fn own() -> impl Layer {
        noting("own")
    }
}

#[actix::test]
async fn layers_stand_around_handlers_of_every_kind() {
    let layers = |handler: &str| {
        let end = format!(" of {handler}");
        let noted = NOTED.lock().unwrap();
        noted.iter().filter_map(|line| line.strip_suffix(&end).map(str::to_owned)).collect::<Vec<_>>()
    };
    let group = Group::builder().declarations(declarations()).agent(Layered::default).start().await.unwrap();
    let soon = ["hear", "deliver", "tick", "compute", "serve"];
    until(Duration::from_secs(10), "all handlers", async || soon.iter().all(|one| layers(one).len() > 2)).await;
    assert_eq!(group.stop().await.code(), 0);
    assert_eq!(layers("hear"), ["first", "second", "third", "fourth"]);
    for handler in ["before", "after", "deliver", "tick", "compute", "serve", "last"] {
        assert_eq!(layers(handler), ["first", "second", "own"], "{handler}");
    }
}

static HEARD: Mutex<Vec<Instant>> = Mutex::new(Vec::new());
static DELIVERED: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

#[derive(Default)]
struct Paced;

#[agent]
impl Paced {
    #[receiver(rate = 20)]
    async fn hear(&self, _started: signals::Started, mailer: Push<queues::Mailer>) -> Result {
        HEARD.lock().unwrap().push(Instant::now());
        mailer.send(&queues::Mailer { text: "Hello".into(), email: "user@example.org".into() }).await?;
        Ok(())
    }

    #[consumer(rate = 5)]
    async fn deliver(&self, _mail: queues::Mailer) {
        DELIVERED.lock().unwrap().push(Instant::now());
    }
}

#[actix::test]
async fn a_rate_spaces_the_runs() {
    tokio::time::pause();
    let group = Group::builder().declarations(declarations()).agent(Paced::default).start().await.unwrap();
    for _ in 0..4 {
        group.bus().publish("test", &signals::Started {}).await.unwrap();
    }
    let all = async || DELIVERED.lock().unwrap().len() == 4;
    until(Duration::from_secs(10), "four messages", all).await;
    assert_eq!(group.stop().await.code(), 0);
    for (runs, gap) in [(&HEARD, 50), (&DELIVERED, 200)] {
        let runs = runs.lock().unwrap();
        let gaps: Vec<_> = runs.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(gaps.iter().all(|found| *found >= Duration::from_millis(gap)), "{gaps:?} of {gap} ms");
    }
}
