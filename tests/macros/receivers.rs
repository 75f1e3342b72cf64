//! What a receiver hears by a pattern, and what its filter leaves out.

use std::time::Duration;

use formicary::EventKind;
use formicary::prelude::*;
use formicary_test_support::wait::until;

use crate::{Diary, declarations, signals};

struct Audit {
    diary: Diary,
}

#[agent]
impl Audit {
    #[receiver(signals::Started, signals = ["user_*", "comment_created"])]
    async fn note(&self, any: AnySignal) -> Result {
        let user = any.decode::<signals::UserCreated>().map(|user| user.user_id);
        self.diary.note(match user {
            Ok(user) => format!("user {user}"),
            Err(_) => format!("{} {}", any.signal, any.arguments),
        });
        Ok(())
    }

    #[receiver(filter = Self::is_early)]
    async fn greet(&self, user: signals::UserCreated) {
        self.diary.note(format!("early {}", user.user_id));
    }

    #[receiver(filter = |ask| ask.user_id > 1)]
    async fn count(&self, ask: signals::RpcCommentsCount) -> Result<u64> {
        Ok(ask.user_id * 10)
    }

    fn is_early(user: &signals::UserCreated) -> bool {
        user.user_id < 100
    }
}

#[actix::test]
async fn patterns_and_filters_say_what_a_receiver_handles() {
    let diary = Diary::default();
    let noted = diary.clone();
    let factory = move || Audit { diary: noted.clone() };
    let group = Group::builder().declarations(declarations()).agent(factory).start().await.unwrap();
    let bus = group.bus();
    bus.publish("test", &signals::Started {}).await.unwrap();
    bus.publish("test", &signals::UserComment { user_id: 5 }).await.unwrap();
    for user_id in [7, 700] {
        bus.publish("test", &signals::UserCreated { user_id }).await.unwrap();
    }
    let soon = ["started {}", "user_comment {\"user_id\":5}", "user 7", "user 700", "early 7"];
    until(Duration::from_secs(10), "all of them", async || soon.iter().all(|line| diary.has(line))).await;
    let counted = bus.call("test", &signals::RpcCommentsCount { user_id: 2 }).await.unwrap();
    assert_eq!(counted, 20);
    assert_eq!(group.events().count(EventKind::Filtered), 1);
    assert!(!diary.has("early 700"));
    let info = group.info().await.agents.remove(0).info;
    assert_eq!(info.receivers[0].signals, ["started", "user_comment", "user_created", "comment_created"]);
    assert_eq!(info.receivers[0].patterns, ["user_*"]);
    assert!(info.receivers[1].filter && !info.receivers[0].filter, "{info}");
    group.stop().await;
}

#[actix::test]
async fn a_handler_of_any_signal_is_a_plain_method() {
    let agent = Audit { diary: Diary::default() };
    agent.note(AnySignal::of(&signals::UserCreated { user_id: 3 }).unwrap()).await.unwrap();
    agent.note(AnySignal::of(&signals::UserComment { user_id: 3 }).unwrap()).await.unwrap();
    assert!(agent.diary.has("user 3") && agent.diary.has("user_comment {\"user_id\":3}"));
    let error = AnySignal::of(&signals::Started {}).unwrap().decode::<signals::UserCreated>().unwrap_err().to_string();
    assert!(error.contains("`user_created`") && error.contains("`started`"), "{error}");
}
