//! What happens by itself as time goes by.

pub mod cancel_flow_header;
pub mod create_execution;
pub mod create_waitpoint;
pub mod delay;
pub mod deliver_signal;
pub mod expire_execution;
pub mod fail_execution;
pub mod issue_claim_grant;
pub mod poll_tasks;
pub mod reclaim_execution;
pub mod renew_lease;
pub mod submit_flow;
pub mod suspend;
pub mod wait_children;

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::automatic(),
            automatic {
                cancel_flow_header {
                    the_engine_ends_them_when_the_grace_is_over
                    who_is_acknowledged_too_early_is_ended_all_the_same
                    without_grace_it_ends_them_at_once
                    the_grace_goes_on_under_the_next_engine
                    a_grace_that_ends_while_no_engine_runs_is_made_up_for
                }
                create_execution {
                    a_delayed_execution_wakes_at_its_time
                    delays_wake_one_after_the_other
                    a_delay_that_passes_while_no_engine_runs_is_made_up_for
                    a_delay_goes_on_under_the_next_engine
                    past_its_deadline_a_waiting_execution_ends
                    a_deadline_that_passes_while_no_engine_runs_is_made_up_for
                    a_storm_of_deadlines_leaves_nobody_behind
                    what_waits_is_offered_by_the_next_engine
                }
                create_waitpoint {
                    an_unused_waitpoint_closes_by_itself_at_its_time
                    one_that_is_used_does_not_run_out
                    it_runs_out_beside_a_suspension_and_after_a_lost_lease
                    it_runs_out_while_the_lease_is_renewed_from_memory
                    a_waitpoint_that_ran_out_while_no_engine_ran_is_closed
                    many_run_out_at_once
                }
                delay {
                    the_attempt_goes_on_when_its_time_has_come
                    a_time_that_has_passed_wakes_it_at_once
                }
                deliver_signal {
                    whoever_polls_is_given_the_resumed_execution
                    a_resume_delay_ends_by_itself_and_not_before
                    a_resume_delay_goes_on_under_the_next_engine
                    a_suspended_execution_is_offered_to_nobody
                }
                expire_execution {
                    an_attempt_over_its_time_ends_and_is_not_retried
                    renewals_do_not_lengthen_an_attempt
                    a_handler_that_hangs_is_not_immortal
                    a_deadline_ends_a_running_execution
                    a_deadline_ends_an_execution_that_waits_for_its_time
                    an_interrupted_attempt_uses_up_no_time
                    a_timeout_goes_on_under_the_next_engine
                }
                fail_execution {
                    a_retry_comes_when_its_backoff_is_over
                    every_retry_waits_longer_until_none_is_left
                    a_retry_that_falls_due_while_no_engine_runs_is_made_up_for
                }
                issue_claim_grant {
                    an_unused_promise_heals_by_its_expiry
                    an_unused_promise_heals_under_the_next_engine
                    an_unused_reclaim_grant_heals_too
                }
                poll_tasks {
                    what_a_poll_that_hung_up_was_to_get_goes_to_the_next
                    credits_are_not_lost_with_a_partition
                }
                reclaim_execution {
                    a_dead_workers_execution_goes_to_the_next_who_polls
                    a_lapse_is_marked_on_time_though_nobody_asks
                    up_to_the_cap_and_then_it_fails
                    a_revoked_execution_is_offered_at_once
                    a_worker_that_lacks_something_is_not_offered_it
                    a_lost_execution_is_offered_by_the_next_engine_too
                    urgent_work_goes_before_lost_work_of_lower_rank
                    a_dead_reclaimer_is_no_better_than_a_dead_worker
                }
                renew_lease {
                    renewals_keep_a_lease_alive
                    without_more_renewals_it_lapses_when_the_last_one_ends
                    an_early_renewal_is_stored_by_half_its_time
                    a_promise_outlives_the_engine_that_gave_it
                    an_inherited_lease_lapses_one_time_to_live_after_what_was_stored
                    takeover_after_takeover_keeps_nobody_alive
                    a_lease_that_ended_while_no_engine_ran_is_found_lapsed
                    a_holder_goes_on_renewing_with_the_next_engine
                }
                submit_flow {
                    what_is_not_sealed_in_time_is_given_up
                    its_time_goes_on_under_the_next_engine
                    its_time_that_ends_while_no_engine_runs_is_made_up_for
                    what_is_sealed_is_not_given_up
                }
                suspend {
                    the_deadline_ends_the_execution_at_its_time
                    the_deadline_lets_it_go_on_and_leaves_a_signal
                    the_deadline_hands_it_to_an_operator_once
                    a_signal_in_time_stops_the_deadline
                    the_deadline_of_the_next_suspension_is_its_own
                    a_deadline_in_the_past_acts_at_once
                    a_deadline_that_passes_while_no_engine_runs_is_made_up_for
                    a_deadline_goes_on_under_the_next_engine
                    the_executions_deadline_ends_it_while_it_is_suspended
                    the_attempts_time_stands_still_while_it_is_suspended
                    a_storm_of_deadlines_leaves_nobody_behind
                    nothing_happens_while_nothing_is_due
                }
                wait_children {
                    without_children_it_is_handed_out_again
                }
            }
        }
    };
}

pub(crate) use cases;
