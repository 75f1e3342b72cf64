//! A responder whose connection is lost: its callers end in their time, and are answered again when it is back.

use std::time::Duration;

use formicary_actors::CallError;
use formicary_actors::bus::Bus;
use formicary_actors::events::EventKind;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::bus::calls::ask;
use crate::bus::cast::Doubles;
use crate::bus::faults::slow::{self, Trip};
use crate::bus::stage::{HASTE, SOON, Stage, Way, down, slack, up};
use crate::left_out::Verdict;
use crate::wait;

/// A caller whose calls have a second, and its connection.
async fn hasty_caller(stage: &Stage) -> Bus {
    let mut env = stage.env();
    env.limits.call_deadline = 2 * HASTE;
    let caller = stage.bus_with(env);
    up(&caller).await;
    caller
}

/// Without an answer a call ends at its deadline, or at once where the bus knows that nobody listens.
fn unanswered(error: &CallError) -> bool {
    matches!(error, CallError::Timeout { .. } | CallError::NobodyListening { .. })
}

/// While a responder is away its callers end in their time; when it is back they are answered, loss after loss.
pub(crate) async fn its_callers_end_in_time_and_are_answered_when_it_is_back(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let answers = line.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = hasty_caller(stage).await;
    for n in 1..=3 {
        assert_eq!(ask(&caller, n).await.unwrap(), 2 * n);
        line.cut().await;
        down(answers.bus(), SOON).await;
        let begun = tokio::time::Instant::now();
        let error = ask(&caller, n).await.unwrap_err();
        assert!(unanswered(&error) && begun.elapsed() < 2 * HASTE + slack(), "{:?}: {error}", begun.elapsed());
        line.mend().await;
        line.regained_by(answers.bus()).await;
    }
    assert_eq!(ask(&caller, 9).await.unwrap(), 18);
    answers.stop().await;
    Ok(())
}

/// An answer that finds its connection lost waits for the next one: the caller has it, within its deadline.
pub(crate) async fn an_answer_waits_for_its_connection(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let after = Duration::from_millis(500);
    let answers = line.group().agent(move || Doubles { after }).start().await.unwrap();
    let caller = stage.bus();
    let call = stage.call(&caller, 4);
    wait::until(SOON, "the request", async || answers.events().count(EventKind::RequestReceived) == 1).await;
    line.cut().await;
    wait::until(SOON, "the end of the handler", async || answers.events().count(EventKind::Handled) == 1).await;
    assert!(!call.is_finished());
    line.mend().await;
    assert_eq!(call.await.unwrap().unwrap(), 8);
    answers.stop().await;
    Ok(())
}

/// A responder that is refused from its beginning has callers that end in their time; it is there when it is let in, and its start
/// returns.
pub(crate) async fn a_responder_refused_at_first_is_there_when_it_is_let_in(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let caller = hasty_caller(stage).await;
    line.cut().await;
    let starting = actix_rt::spawn(line.group().agent(Doubles::at_once).start());
    let error = ask(&caller, 1).await.unwrap_err();
    assert!(unanswered(&error) && !starting.is_finished(), "{error}");
    line.mend().await;
    let answers = timeout(SOON, starting).await.unwrap().unwrap().unwrap();
    assert_eq!(ask(&caller, 2).await.unwrap(), 4);
    answers.stop().await;
    Ok(())
}

/// A network that takes its time delays answers, and fails no call; round trips are shared.
pub(crate) async fn a_slow_network_is_no_outage_for_a_responder(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let answers = line.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = stage.bus();
    slow::is_no_outage(&line, answers.bus(), Trip::BothWays, async |_| slow::all_are_answered(&caller).await).await;
    answers.stop().await;
    Ok(())
}

/// A responder that is not heard: its callers end in their time, the loss is found, and it answers again.
pub(crate) async fn a_responder_finds_a_server_that_does_not_hear(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToServer).await
}

/// A responder that does not hear: its callers end in their time, the loss is found, and it answers again.
pub(crate) async fn a_responder_finds_a_server_that_is_not_heard(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToClient).await
}

async fn swallowed(stage: &mut Stage, way: Way) -> Verdict {
    let line = stage.line().await?;
    let answers = line.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = hasty_caller(stage).await;
    assert_eq!(ask(&caller, 1).await.unwrap(), 2);
    line.swallow(way);
    let calls = async {
        for ended in join_all((1..=10).map(|n| ask(&caller, n))).await {
            let error = ended.unwrap_err();
            assert!(unanswered(&error), "{error}");
        }
    };
    tokio::join!(calls, line.found_by(answers.bus()));
    line.mend().await;
    line.regained_by(answers.bus()).await;
    assert_eq!(ask(&caller, 2).await.unwrap(), 4);
    answers.stop().await;
    Ok(())
}
