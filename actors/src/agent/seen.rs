//! Asks a broker which keys it remembers: what is asked while an answer is under way goes together.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::delivery_state::Source;

/// The questions of one consumer.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<Questions>);

#[derive(Default)]
struct Questions {
    waiting: RefCell<Vec<Question>>,
    /// A task asks them, until there are none.
    asking: Cell<bool>,
}

struct Question {
    key: Arc<str>,
    answer: oneshot::Sender<Result<bool, Arc<str>>>,
}

impl Memory {
    /// Whether the key is remembered by an acknowledgement, or why the broker does not say. Cancel safe.
    pub(crate) async fn has(&self, source: &Arc<Source>, key: &Arc<str>) -> Result<bool, Arc<str>> {
        let (answer, answered) = oneshot::channel();
        self.0.waiting.borrow_mut().push(Question { key: key.clone(), answer });
        if !self.0.asking.replace(true) {
            // A task of its own: whoever asks for all must not wait for what others ask meanwhile.
            tokio::task::spawn_local(ask(self.clone(), source.clone()));
        }
        answered.await.unwrap_or_else(|_| Err("nobody answered".into()))
    }
}

async fn ask(memory: Memory, source: Arc<Source>) {
    loop {
        let asked = std::mem::take(&mut *memory.0.waiting.borrow_mut());
        if asked.is_empty() {
            return memory.0.asking.set(false);
        }
        let keys = asked.iter().map(|question| question.key.clone()).collect();
        match source.broker.were_seen(source.consumer, keys).await {
            // Who asked may have gone.
            Ok(seen) => asked.into_iter().zip(seen).for_each(|(question, seen)| drop(question.answer.send(Ok(seen)))),
            Err(error) => {
                let error: Arc<str> = error.to_string().into();
                asked.into_iter().for_each(|question| drop(question.answer.send(Err(error.clone()))));
            }
        }
    }
}
