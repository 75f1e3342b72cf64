//! How one case is run.

use std::time::Duration;

use crate::left_out::{self, Verdict};
use crate::wait::patience;
use crate::{Missing, Place};

/// Longer than any case takes, but those that are told how long to go on.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);

/// Runs a case in an actix system of its own, at a place of its own.
///
/// # Panics
///
/// When the case fails.
pub(crate) fn run<P: Place>(name: &str, clockless: bool, case: impl AsyncFnOnce(P) -> Verdict) {
    run_at(name, clockless, LIMIT, P::begin(), case);
}

/// The same within a limit of its own.
pub(crate) fn run_within<P: Place>(name: &str, clockless: bool, limit: Duration, case: impl AsyncFnOnce(P) -> Verdict) {
    run_at(name, clockless, limit, P::begin(), case);
}

/// The same at a server that nobody else uses.
pub(crate) fn run_alone<P: Place>(name: &str, clockless: bool, case: impl AsyncFnOnce(P) -> Verdict) {
    run_at(name, clockless, LIMIT, P::begin_alone(), case);
}

fn run_at<P: Place>(
    name: &str,
    clockless: bool,
    limit: Duration,
    begin: impl Future<Output = Result<P, Missing>>,
    case: impl AsyncFnOnce(P) -> Verdict,
) {
    actix::System::new().block_on(async {
        let place = match begin.await {
            Ok(place) => place,
            Err(why) => return left_out::missing(name, &why),
        };
        if clockless {
            tokio::time::pause();
        }
        let limit = limit * patience();
        match tokio::time::timeout(limit, case(place)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => left_out::left_out(name, &why),
            Err(_) => panic!("{name} did not end within {limit:?}"),
        }
    });
}

/// Makes a test of each case: `broker!` and `bus!` call it with their lists.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($side:ident, $place:ty; $($group:ident { $($case:ident,)+ })+) => {
        $(
            mod $group {
                #[allow(unused_imports, reason = "a place that is named by its whole path needs none")]
                use super::*;

                $(
                    #[test]
                    fn $case() {
                        let name = concat!(module_path!(), "::", stringify!($case));
                        $crate::$side::run::<$place>(name, concat!(stringify!($group), "::", stringify!($case)));
                    }
                )+
            }
        )+
    };
}
