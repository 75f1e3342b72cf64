use super::{Extract, Needs};
use crate::agent::Invocation;
use crate::error::Error;

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Extract),*> Extract for ($($name,)*) {
            fn needs(needs: &mut Needs) {
                $($name::needs(needs);)*
                let _ = needs;
            }

            fn extract(invocation: &Invocation) -> Result<Self, Error> {
                let _ = invocation;
                Ok(($($name::extract(invocation)?,)*))
            }
        }
    };
}

tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
