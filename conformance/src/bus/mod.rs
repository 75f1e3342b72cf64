//! The cases of buses. See the crate's page for how an adapter gets them.

mod arbiters;
mod calls;
mod cast;
mod endurance;
mod faults;
mod inbox;
mod input;
mod lifecycle;
mod outages;
mod patterns;
mod place;
mod promises;
mod routing;
mod secrets;
mod slow;
mod stage;
mod stories;
mod wire;

pub use place::{BusPlace, Raw};
pub use promises::BusPromises;

use self::faults::{caller, listener, publisher, responder};
use self::stage::Stage;
use crate::left_out::Verdict;
use crate::place::Soon;

/// Makes a test of each case for the buses of a [`BusPlace`].
#[macro_export]
macro_rules! bus {
    ($place:ty) => {
        $crate::__bus_cases! { $crate::__tests, bus, $place; }
    };
}

/// Every case, in its group.
#[doc(hidden)]
#[macro_export]
macro_rules! __bus_cases {
    ($then:path, $($with:tt)*) => {
        $then! { $($with)*
            routing {
                a_signal_arrives_with_its_metadata,
                each_of_5_000_signals_is_heard_by_each_of_50_subscribers,
                signals_and_prefixes_are_apart,
                signals_of_one_sender_keep_their_order,
                each_subscription_hears_until_it_is_ended,
                a_publish_tells_its_receivers_where_they_are_known,
                a_late_subscriber_hears_nothing_old,
                closed_and_opened_again_it_hears,
                odd_names_and_bodies_arrive_as_they_are,
            }
            patterns {
                a_pattern_hears_every_declared_signal_that_it_matches,
                a_filter_takes_what_it_wants_and_counts_the_rest,
            }
            lifecycle {
                it_is_made_without_a_word_to_its_server,
                subscribed_means_heard,
                a_closed_bus_says_so,
                closing_twice_is_fine,
                a_close_under_load_ends_everything,
                a_bus_that_nobody_holds_ends,
            }
            calls {
                a_call_is_answered_or_fails_with_its_handlers_error,
                a_call_ends_at_its_deadline_and_its_answer_is_late,
                the_second_answer_is_a_duplicate,
                a_responder_that_stops_tells_its_caller,
                a_thousand_calls_are_in_flight_at_once,
                a_call_that_nobody_hears_is_told,
                a_call_to_all_gathers_an_answer_of_each,
            }
            publisher {
                what_is_published_while_it_is_down_goes_out_when_it_is_back,
                reused_while_down_a_publisher_fails_each_time_and_recovers_with_the_next,
                a_publish_given_up_while_it_waits_does_not_go_out,
                a_publisher_refused_at_first_is_there_when_it_is_let_in,
                a_publisher_finds_a_server_that_does_not_hear,
                a_publisher_finds_a_server_that_is_not_heard,
                an_idle_connection_in_a_black_hole_is_found,
                a_slow_network_is_no_outage,
            }
            listener {
                its_subscriptions_are_restored_after_each_loss,
                what_was_unsubscribed_is_not_restored,
                who_subscribes_while_it_is_down_waits_for_it,
                who_subscribes_while_it_is_down_is_told_in_time,
                a_listener_finds_a_server_that_does_not_hear,
                a_listener_finds_a_server_that_is_not_heard,
                a_slow_network_is_no_outage_for_a_listener,
            }
            caller {
                a_loss_ends_what_waits_for_an_answer,
                what_is_asked_while_it_is_down_is_answered_when_it_is_back,
                reused_while_down_a_caller_fails_each_time_and_recovers_with_the_next,
                a_caller_finds_a_server_that_does_not_hear,
                a_caller_finds_a_server_that_is_not_heard,
                a_slow_network_is_no_outage_for_a_caller,
            }
            responder {
                its_callers_end_in_time_and_are_answered_when_it_is_back,
                an_answer_waits_for_its_connection,
                a_responder_refused_at_first_is_there_when_it_is_let_in,
                a_responder_finds_a_server_that_does_not_hear,
                a_responder_finds_a_server_that_is_not_heard,
                a_slow_network_is_no_outage_for_a_responder,
            }
            arbiters {
                what_a_dying_arbiter_sends_arrives,
                a_subscription_of_a_dying_arbiter_becomes_live,
                an_answer_of_a_dying_arbiter_arrives,
                every_kind_of_thread_can_send,
                it_is_put_together_on_a_thread_without_a_runtime,
            }
            input {
                bad_bodies_are_counted_and_end_no_subscription,
                a_bad_call_harms_nobody,
                what_is_too_large_is_refused_to_its_sender,
            }
            stories {
                of_what_is_published_and_heard,
                of_what_is_asked_and_answered,
                of_agents_that_talk,
            }
            wire {
                what_python_publishes_is_heard,
                what_python_asks_is_answered_as_python_does,
                what_python_answers_is_taken,
                signals_are_published_as_python_does,
                calls_and_answers_are_published_as_python_does,
                a_call_that_nobody_answers_is_published_as_python_does,
            }
            slow {
                a_flood_is_received_or_dropped_in_bounded_memory,
            }
            outages {
                a_server_that_is_started_again_finds_all_as_it_was,
                a_server_that_denies_is_asked_less_and_less_and_heals,
            }
            secrets {
                no_secret_is_shown_anywhere,
                a_wrong_secret_is_refused_and_not_shown,
            }
            endurance {
                the_suite_runs_ten_times_side_by_side,
                a_soak_keeps_its_word_and_its_memory,
            }
        }
    };
}

/// What `bus!` calls: one case, by its group and name.
#[doc(hidden)]
pub fn run<P: BusPlace>(name: &str, case: &str) {
    // Some cases have threads of their own, which know nothing of a clock that stands still.
    const CLOCKLESS: bool = false;
    let body = async |place: P| find(case)(&mut Stage::new(name, place)).await;
    // Those that look at the log or the memory have a process of their own; some of them stop the server, too.
    match case.split_once("::") {
        Some(("outages" | "secrets", _)) => {
            crate::alone::run(name, || crate::case::run_alone::<P>(name, CLOCKLESS, body));
        }
        Some(("endurance", case)) => {
            let limit = crate::endurance::limit(case);
            crate::alone::run_within(name, limit, || crate::case::run_within::<P>(name, CLOCKLESS, limit, body));
        }
        // The prefixes of the vectors are the same in each of them.
        Some(("wire", _)) => crate::case::run_alone::<P>(name, CLOCKLESS, body),
        Some(("slow", _)) => crate::alone::run(name, || crate::case::run::<P>(name, CLOCKLESS, body)),
        _ => crate::case::run::<P>(name, CLOCKLESS, body),
    }
}

type Case = for<'a> fn(&'a mut Stage) -> Soon<'a, Verdict>;

macro_rules! table {
    (; $($group:ident { $($case:ident,)+ })+) => {
        /// The names of all cases, with their groups.
        const CASES: &[&str] = &[$($(concat!(stringify!($group), "::", stringify!($case)),)+)+];

        fn find(name: &str) -> Case {
            match name {
                $($(concat!(stringify!($group), "::", stringify!($case)) => |stage| Box::pin($group::$case(stage)),)+)+
                _ => panic!("the suite has no case {name}"),
            }
        }
    };
}

__bus_cases! { table, ; }
