//! Taking work and waiting for its end.

pub mod poll_tasks;
pub mod wait_terminal;

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::default(),
            work {
                poll_tasks {
                    a_task_carries_all_a_handler_needs
                    a_retried_task_says_how_often
                    a_waiting_poll_is_given_what_comes
                    a_poll_in_vain_comes_back_empty_when_its_time_is_up
                    no_more_is_given_than_there_are_credits
                    only_work_of_its_lanes_and_within_its_reach_is_given
                    polls_at_once_share_the_work
                    a_repeated_request_is_given_the_same_tasks
                    what_a_poll_that_hung_up_was_to_get_is_given_back
                    arguments_out_of_bounds_are_refused
                    an_engine_that_is_going_down_gives_none
                }
                wait_terminal {
                    what_has_ended_is_told_at_once
                    the_end_wakes_everybody_who_waits
                    a_retry_is_no_end
                    a_wait_in_vain_ends_when_its_time_is_up
                    an_unknown_execution_is_not_found
                }
            }
        }
    };
}

pub(crate) use cases;
