//! The handlers of batches, with their types erased.

use std::rc::Rc;

use formicary_protocol::Bytes;
use serde::de::DeserializeOwned;

use super::decode::decode_message;
use super::extract::Extract;
use super::handlers::IntoAnswer;
use super::item::Item;
use super::lanes::{BatchLane, Gatherers};
use super::plan::OpenConsumer;
use super::shared::Shared;

macro_rules! erase {
    ($consume:ident, $borrow:ty, |$instance:ident| $agent:expr) => {
        pub(crate) fn $consume<A, P, X, R, F>(queue: &'static str, run: F) -> OpenConsumer<A>
        where
            A: 'static,
            P: DeserializeOwned + 'static,
            X: Extract,
            R: IntoAnswer,
            F: AsyncFn($borrow, Vec<Item<P>>, X) -> R + 'static,
        {
            let run = Rc::new(run);
            let gatherers = Gatherers::default();
            Box::new(move |$instance, at| {
                let run = run.clone();
                let mut lane = BatchLane::open(&$instance, at, &gatherers);
                Box::pin(async move {
                    let read = |shared: &Shared, body: &Bytes| decode_message::<P>(shared, queue, body);
                    while let Some(batch) = lane.next(read).await {
                        if let Some((begun, items)) = lane.begin(batch).await {
                            let handler = async {
                                let extractors = X::extract(lane.run())?;
                                (*run)($agent, items, extractors).await.into_answer().map(drop)
                            };
                            lane.handle(begun, handler).await;
                        }
                        lane.end().await;
                    }
                })
            })
        }
    };
}

// The turns make sure that these borrows never meet.
erase!(read_batch, &A, |instance| &instance.agent.borrow());
erase!(write_batch, &mut A, |instance| &mut instance.agent.borrow_mut());
