//! The cases of brokers. See the crate's page for how an adapter gets them.

mod place;
mod promises;
mod routing;
mod stage;
mod taker;

pub use place::BrokerPlace;
pub use promises::BrokerPromises;

use crate::left_out::Verdict;
use crate::place::Soon;
use stage::Stage;

/// Makes a test of each case for the brokers of a [`BrokerPlace`].
#[macro_export]
macro_rules! broker {
    ($place:ty) => {
        $crate::__broker_cases! { $crate::__tests, broker, $place; }
    };
}

/// Every case, in its group.
#[doc(hidden)]
#[macro_export]
macro_rules! __broker_cases {
    ($then:path, $($with:tt)*) => {
        $then! { $($with)*
            routing {
                messages_come_as_they_were_sent,
                topics_are_apart,
            }
        }
    };
}

/// What `broker!` calls: one case, by its group and name.
#[doc(hidden)]
pub fn run<P: BrokerPlace>(name: &str, case: &str) {
    let promises = P::promises();
    crate::case::run::<P>(name, promises.clockless, async |place| {
        let mut stage = Stage { place: Box::new(place), promises };
        find(case)(&mut stage).await
    });
}

type Case = for<'a> fn(&'a mut Stage) -> Soon<'a, Verdict>;

macro_rules! table {
    (; $($group:ident { $($case:ident,)+ })+) => {
        fn find(name: &str) -> Case {
            match name {
                $($(concat!(stringify!($group), "::", stringify!($case)) => |stage| Box::pin($group::$case(stage)),)+)+
                _ => panic!("the suite has no case {name}"),
            }
        }
    };
}

__broker_cases! { table, ; }
