//! A caller whose connection is lost: every call ends in its time and with its cause, and the next one is answered.

use formicary_actors::events::EventKind;
use formicary_actors::{CallError, SendError};
use futures_util::future::join_all;
use tokio::time::{Duration, Instant, timeout};

use crate::bus::calls::ask;
use crate::bus::cast::Doubles;
use crate::bus::faults::slow::{self, Trip};
use crate::bus::stage::{HASTE, SOON, Stage, Way, down, slack, up};
use crate::left_out::Verdict;
use crate::wait;

/// What waits for an answer when the connection is lost fails at once, since no answer can come; the next call is answered.
pub(crate) async fn a_loss_ends_what_waits_for_an_answer(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = line.bus();
    let call = stage.call(&caller, Doubles::HANGS);
    wait::until(SOON, "the request", async || answers.events().count(EventKind::RequestReceived) == 1).await;
    let begun = Instant::now();
    line.proxy.drop_all().await;
    let error = call.await.unwrap().unwrap_err().to_string();
    assert!(begun.elapsed() < slack(), "{:?}: {error}", begun.elapsed());
    assert!(error.contains("disconnected"), "{error}");
    assert_eq!(ask(&caller, 3).await.unwrap(), 6);
    answers.stop().await;
    Ok(())
}

/// What is asked while the connection is away waits for it, and is answered when it is back.
pub(crate) async fn what_is_asked_while_it_is_down_is_answered_when_it_is_back(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = line.bus();
    assert_eq!(ask(&caller, 1).await.unwrap(), 2);
    line.cut().await;
    down(&caller, SOON).await;
    let calls: Vec<_> = (1..=20).map(|n| stage.call(&caller, n)).collect();
    tokio::task::yield_now().await;
    assert!(calls.iter().all(|call| !call.is_finished()), "the outage fails no call that waits to go out");
    line.mend().await;
    for (n, answer) in (1..).zip(timeout(SOON, join_all(calls)).await.unwrap()) {
        assert_eq!(answer.unwrap().unwrap(), 2 * n);
    }
    answers.stop().await;
    Ok(())
}

/// Calls that find no connection until their deadline were not sent, say so in time, and are never heard.
pub(crate) async fn reused_while_down_a_caller_fails_each_time_and_recovers_with_the_next(
    stage: &mut Stage,
) -> Verdict {
    let line = stage.line().await?;
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    line.cut().await;
    let caller = line.hasty_bus();
    for n in 1..=2 {
        let begun = Instant::now();
        let error = ask(&caller, n).await.unwrap_err();
        let not_sent = matches!(&error, CallError::NotSent { source: SendError::NotSent { .. }, .. });
        assert!(not_sent, "{error}");
        let took = begun.elapsed();
        assert!(took >= 2 * HASTE - Duration::from_millis(10) && took < 2 * HASTE + slack(), "{took:?}");
    }
    line.mend().await;
    line.regained_by(&caller).await;
    assert_eq!(ask(&caller, 3).await.unwrap(), 6);
    assert_eq!(answers.events().count(EventKind::RequestReceived), 1);
    answers.stop().await;
    Ok(())
}

/// In front of a server that does not hear us, calls end in time; they are answered again when it does.
pub(crate) async fn a_caller_finds_a_server_that_does_not_hear(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToServer).await
}

/// In front of a server that we do not hear, calls end in time; they are answered again when we do.
pub(crate) async fn a_caller_finds_a_server_that_is_not_heard(stage: &mut Stage) -> Verdict {
    swallowed(stage, Way::ToClient).await
}

async fn swallowed(stage: &mut Stage, way: Way) -> Verdict {
    let line = stage.line().await?;
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = line.hasty_bus();
    up(&caller).await;
    assert_eq!(ask(&caller, 1).await.unwrap(), 2);
    line.swallow(way);
    let calls = async {
        for error in join_all((1..=10).map(async |n| ends_in_time(ask(&caller, n)).await)).await {
            assert!(is_clean(&error), "{error}");
        }
    };
    tokio::join!(calls, line.found_by(&caller));
    line.mend().await;
    line.regained_by(&caller).await;
    assert_eq!(ask(&caller, 2).await.unwrap(), 4);
    answers.stop().await;
    Ok(())
}

/// A network that takes its time delays answers, and fails no call; round trips are shared.
pub(crate) async fn a_slow_network_is_no_outage_for_a_caller(stage: &mut Stage) -> Verdict {
    let line = stage.line().await?;
    let answers = stage.group().agent(Doubles::at_once).start().await.unwrap();
    let caller = line.bus();
    slow::is_no_outage(&line, &caller, Trip::BothWays, async |_| slow::all_are_answered(&caller).await).await;
    answers.stop().await;
    Ok(())
}

async fn ends_in_time(call: impl Future<Output = Result<u64, CallError>>) -> CallError {
    let begun = Instant::now();
    let error = call.await.unwrap_err();
    assert!(begun.elapsed() < 2 * HASTE + slack(), "{:?}: {error}", begun.elapsed());
    error
}

fn is_clean(error: &CallError) -> bool {
    matches!(error, CallError::Timeout { .. } | CallError::Disconnected { .. } | CallError::NotSent { .. })
}
