//! The cases of brokers. See the crate's page for how an adapter gets them.

mod arbiters;
mod cast;
mod consumers;
mod drain;
mod endurance;
mod fate;
mod fault;
mod keys;
mod lifecycle;
mod memory;
mod networks;
mod place;
mod promises;
mod restarts;
mod routing;
mod secrets;
mod senders;
mod settlement;
mod stage;
mod stories;
mod taker;
mod troubles;
mod wire;

pub use place::BrokerPlace;
pub use promises::BrokerPromises;

use crate::left_out::Verdict;
use crate::place::Soon;
use stage::Stage;
use stories::atomic::told as atomic;
use stories::letters::told as letters;
use stories::outcomes::told as outcomes;
use stories::queues::told as queues;

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
                a_body_is_any_bytes,
                another_program_reads_what_is_sent,
                each_queue_has_its_own_messages,
                fifty_senders_and_fifty_consumers_lose_and_double_nothing,
                messages_of_one_sender_keep_their_order,
                messages_of_one_key_keep_their_order_and_keys_go_side_by_side,
                what_is_sent_beside_a_body_arrives,
                what_waits_is_there_for_a_late_consumer,
                what_was_handled_comes_no_more,
                every_queue_of_an_exchange_gets_its_messages,
                topics_choose_their_queues,
                an_option_that_it_lacks_is_refused,
            }
            settlement {
                each_delivery_has_one_outcome_whatever_its_handler_does,
                without_a_fault_nothing_comes_twice,
                the_last_attempt_makes_a_dead_letter,
                what_cannot_be_decoded_is_dead_at_once,
                nothing_takes_a_place_in_hand_for_ever,
                delays_and_attempts_outlive_their_consumer,
                a_delayed_message_outlives_its_sender,
                the_first_settlement_of_a_delivery_counts,
                dead_letters_are_read_replayed_and_purged,
            }
            lifecycle {
                an_adapter_is_made_without_its_server,
                a_thread_without_a_system_is_told_so,
                a_consumer_is_there_when_it_says_so,
                nothing_comes_after_a_cancel,
                a_consumer_that_asks_for_too_much_is_refused,
                what_is_closed_refuses_everything,
                closing_twice_is_fine,
                a_close_under_load_loses_nothing,
            }
            drain {
                a_stop_finishes_what_runs_and_returns_the_rest,
                a_stop_keeps_its_deadline,
                a_slow_consumer_has_no_more_than_its_credit,
                what_waits_for_a_slow_consumer_costs_it_no_memory,
            }
            arbiters {
                what_a_dying_arbiter_sent_arrives,
                what_a_dying_arbiter_settled_is_applied,
                every_kind_of_thread_can_send,
            }
            senders {
                a_sender_outlives_a_server_that_is_down,
                a_sender_outlives_a_network_that_loses_what_it_says,
                a_sender_outlives_a_network_that_loses_its_answers,
                a_sender_outlives_a_network_that_loses_everything,
                a_sender_waits_for_a_slow_network_within_its_deadline,
                what_is_refused_at_first_is_reached_later,
                a_send_waits_for_its_connection_within_its_deadline,
            }
            consumers {
                a_consumer_outlives_a_server_that_is_down,
                a_consumer_outlives_a_network_that_loses_what_it_says,
                a_consumer_outlives_a_network_that_loses_its_messages,
                a_consumer_outlives_a_network_that_loses_everything,
                a_slow_network_is_no_outage_for_a_consumer,
                a_trickle_is_no_outage_for_a_consumer,
                a_consumer_refused_at_first_is_there_when_it_is_let_in,
                a_settlement_across_an_outage_is_applied_once,
                a_settlement_whose_answer_is_lost_is_applied_once,
                what_a_dead_process_had_comes_to_another,
            }
            restarts {
                all_arrive_although_the_server_restarts_twice,
            }
            troubles {
                a_full_server_refuses_and_can_be_emptied,
                a_queue_of_another_kind_heals_when_it_is_mended,
                denied_access_heals_when_it_is_allowed,
            }
            wire {
                what_python_sends_is_consumed,
                what_is_sent_is_what_python_sends,
                what_python_sends_by_an_exchange_is_consumed,
                what_is_sent_by_an_exchange_comes_where_python_s_does,
            }
            secrets {
                no_secret_is_shown,
            }
            endurance {
                the_suite_runs_ten_times_side_by_side,
                a_soak_loses_nothing_and_keeps_its_memory,
            }
            outcomes {
                each_outcome_does_what_it_says,
                a_delivery_is_settled_once,
                returns_go_to_the_head_in_their_old_order,
                what_was_tried_already_returns_before_the_list_with_its_attempt,
                a_retry_counts_and_remembers_the_last_ten_failures,
            }
            queues {
                no_more_is_in_hand_than_the_credit,
                what_nobody_settled_goes_back_when_its_broker_ends,
                delays_end_in_their_order_and_never_early,
            }
            letters {
                letters_are_counted_by_their_reason,
                letters_are_peeked_by_their_reason,
                letters_are_replayed_by_their_reason_with_their_history,
                letters_are_purged_by_their_reason,
            }
            atomic {
                an_outbox_is_sent_with_its_acknowledgement,
                an_outbox_is_sent_with_nothing_else,
                a_late_acknowledgement_sends_nothing,
                a_full_outbox_keeps_its_order,
                a_key_is_remembered_for_its_window,
                a_second_acknowledgement_of_a_key_sends_nothing,
                only_an_applied_acknowledgement_remembers,
                the_keys_of_two_queues_are_apart,
            }
        }
    };
}

/// What `broker!` calls: one case, by its group and name.
#[doc(hidden)]
pub fn run<P: BrokerPlace>(name: &str, case: &str) {
    let promises = P::promises();
    let clockless = promises.clockless;
    let run = async |place| {
        let mut stage = Stage { name: name.to_owned(), place: Box::new(place), promises };
        find(case)(&mut stage).await
    };
    // They stop or upset a server, or look at the log or the memory of their process.
    match case.split_once("::") {
        Some(("drain", "what_waits_for_a_slow_consumer_costs_it_no_memory")) => {
            crate::alone::run(name, || crate::case::run::<P>(name, clockless, run));
        }
        Some(("restarts", _)) => crate::case::run_alone::<P>(name, clockless, run),
        Some(("troubles", _)) => crate::alone::run(name, || crate::case::run_alone::<P>(name, clockless, run)),
        Some(("endurance", case)) => {
            let limit = crate::endurance::limit(case);
            crate::alone::run_within(name, limit, || crate::case::run_within::<P>(name, clockless, limit, run));
        }
        Some(("secrets", _)) => crate::alone::run(name, || crate::case::run::<P>(name, clockless, run)),
        _ => crate::case::run::<P>(name, clockless, run),
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

__broker_cases! { table, ; }
