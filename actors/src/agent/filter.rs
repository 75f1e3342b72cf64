use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::rc::Rc;

/// Says which payloads a receiver handles.
#[derive(Clone)]
pub(crate) struct Filter {
    /// The type of the payloads.
    of: TypeId,
    of_name: &'static str,
    takes: Rc<Takes>,
}

type Takes = dyn Fn(&dyn Any) -> bool;

impl Filter {
    pub(crate) fn new<P: 'static>(takes: impl Fn(&P) -> bool + 'static) -> Self {
        // A payload of another type was refused at the start.
        let takes = move |payload: &dyn Any| payload.downcast_ref::<P>().is_none_or(&takes);
        Self { of: TypeId::of::<P>(), of_name: type_name::<P>(), takes: Rc::new(takes) }
    }

    /// The user's own code runs here, and may panic.
    pub(crate) fn takes(&self, payload: &dyn Any) -> bool {
        (self.takes)(payload)
    }

    /// Whether it looks at payloads of this type; if not, the name of the type that it looks at.
    pub(crate) fn misfit(&self, payload: TypeId) -> Option<&'static str> {
        (self.of != payload).then_some(self.of_name)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a filter of {}", self.of_name)
    }
}
