//! How many are under way at once.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Outcome;

/// Does `one` so many times, `at_once` of them beside each other.
pub async fn at_once(at_once: usize, times: usize, one: impl AsyncFn() -> Outcome + 'static) -> Outcome {
    let one = Rc::new(one);
    let workers: Vec<_> = (0..at_once)
        .map(|worker| {
            let one = one.clone();
            let share = times / at_once + usize::from(worker < times % at_once);
            actix_rt::spawn(async move {
                for _ in 0..share {
                    // As text, since an error of any kind need not be `Send`, and a task's result must be.
                    one().await.map_err(|error| error.to_string())?;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    Ok(())
}

/// Does `one` so many times, one after the other, and says how long each took.
pub async fn one_by_one(times: usize, one: impl AsyncFn() -> Outcome) -> Outcome<Vec<Duration>> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let begun = Instant::now();
        one().await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}
