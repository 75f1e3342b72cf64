/// Makes a module tree of tests, one for each case, out of a [`BusFactory`](crate::bus::BusFactory).
#[macro_export]
macro_rules! bus {
    ($factory:ty) => {
        mod calls {
            use super::*;
            $crate::bus_cases! { $factory, calls: {
                a_call_is_answered_or_fails_with_its_handlers_error,
                a_call_ends_at_its_deadline_and_its_answer_is_late,
                the_second_answer_is_a_duplicate,
                a_responder_that_stops_tells_its_caller,
                a_thousand_calls_are_in_flight_at_once,
                a_call_that_nobody_hears_is_told,
                a_call_to_all_gathers_an_answer_of_each,
                what_is_too_large_is_refused_to_its_sender,
            } }
        }
        mod faults {
            use super::*;
            mod caller {
                use super::*;
                $crate::bus_cases! { $factory, faults::caller: {
                    a_loss_ends_what_waits_for_an_answer,
                    what_is_asked_while_it_is_down_is_answered_when_it_is_back,
                    reused_while_down_it_fails_each_time_and_recovers_with_the_next,
                    a_server_that_does_not_hear_is_found,
                    a_server_that_is_not_heard_is_found,
                } }
            }
            mod listener {
                use super::*;
                $crate::bus_cases! { $factory, faults::listener: {
                    its_subscriptions_are_restored_after_each_loss,
                    what_was_unsubscribed_is_not_restored,
                    who_subscribes_while_it_is_down_waits_for_it,
                    who_subscribes_while_it_is_down_is_told_in_time,
                    a_server_that_does_not_hear_is_found,
                    a_server_that_is_not_heard_is_found,
                } }
            }
            mod publisher {
                use super::*;
                $crate::bus_cases! { $factory, faults::publisher: {
                    what_is_published_while_it_is_down_goes_out_when_it_is_back,
                    reused_while_down_it_fails_each_time_and_recovers_with_the_next,
                    a_publish_given_up_while_it_waits_does_not_go_out,
                    refused_at_first_it_is_there_when_it_is_let_in,
                    a_server_that_does_not_hear_is_found,
                    a_server_that_is_not_heard_is_found,
                    an_idle_connection_in_a_black_hole_is_found,
                    a_slow_network_is_no_outage,
                } }
            }
            mod responder {
                use super::*;
                $crate::bus_cases! { $factory, faults::responder: {
                    its_callers_end_in_time_and_are_answered_when_it_is_back,
                    an_answer_waits_for_its_connection,
                    a_server_that_does_not_hear_is_found,
                    a_server_that_is_not_heard_is_found,
                } }
            }
        }
        mod lifecycle {
            use super::*;
            $crate::bus_cases! { $factory, lifecycle: {
                it_is_made_without_a_word_to_its_server,
                subscribed_means_heard,
                a_closed_bus_says_so,
                closing_twice_is_fine,
                a_close_under_load_ends_everything,
                a_bus_that_nobody_holds_ends,
            } }
        }
        mod routing {
            use super::*;
            $crate::bus_cases! { $factory, routing: {
                a_signal_arrives_with_its_metadata,
                each_of_5_000_signals_is_heard_by_each_of_50_subscribers,
                signals_and_prefixes_are_apart,
                signals_of_one_sender_keep_their_order,
                each_subscription_hears_until_it_is_ended,
                a_publish_tells_its_receivers_where_they_are_known,
                a_late_subscriber_hears_nothing_old,
                closed_and_opened_again_it_hears,
                odd_names_and_bodies_arrive_as_they_are,
            } }
        }
    };
}

/// Writes the tests of one group of [`bus!`](crate::bus!).
#[doc(hidden)]
#[macro_export]
macro_rules! bus_cases {
    ($factory:ty, $($group:ident)::+ : { $($case:ident,)+ }) => {
        use $crate::bus::$($group)::+ as cases;
        $(
            #[test]
            fn $case() {
                $crate::bus::run(concat!(module_path!(), "::", stringify!($case)), cases::$case::<$factory>);
            }
        )+
    };
}
