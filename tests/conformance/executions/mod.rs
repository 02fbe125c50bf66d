//! Creating executions and changing them from outside.

pub mod cancel;
pub mod cancel_execution;
pub mod change_priority;
pub mod create_execution;
pub mod create_executions;
pub mod expire_execution;
pub mod get_execution_tag;
pub mod progress;
pub mod promote_delayed;
pub mod replay_execution;
pub mod set_execution_tag;

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::default(),
            executions {
                cancel {
                    @handle
                    the_execution_ends_as_cancelled_by_its_worker
                    a_repeat_finds_it_cancelled
                    a_lapse_is_no_obstacle_until_somebody_reclaims
                    every_part_of_the_fence_counts
                    a_revoked_lease_is_refused
                    what_ended_or_was_given_back_is_not_active
                    an_unknown_execution_is_not_found
                    a_reason_no_store_can_keep_is_refused
                }
                cancel_execution {
                    a_waiting_execution_ends_as_cancelled
                    what_never_ran_ends_wherever_it_waits
                    a_running_attempt_ends_with_it
                    a_lost_lease_is_no_obstacle
                    an_interrupted_attempt_ends_with_it
                    an_attempt_that_failed_stays_failed
                    a_repeat_finds_it_cancelled
                    what_ended_otherwise_is_not_active
                    an_unknown_execution_is_not_found
                    an_operator_is_not_held_up_by_a_wrong_fence
                    a_worker_cancels_what_it_holds
                    a_worker_cancels_even_after_a_lapse
                    a_worker_needs_its_whole_fence
                    a_worker_whose_lease_was_revoked_cancels_nothing
                    a_worker_cancels_nothing_it_gave_back
                    others_cancel_live_and_revoked_work_without_a_fence
                    a_fence_restricts_others_to_that_lease
                    a_cascade_is_told_as_one
                    without_a_name_the_execution_itself_is_named
                    texts_no_store_can_keep_are_refused
                }
                change_priority {
                    it_is_scored_anew_and_told
                    the_queue_follows
                    priorities_are_clamped
                    the_same_priority_is_fine_and_nothing_changes
                    an_interrupted_execution_that_is_eligible_moves_too
                    what_is_not_eligible_keeps_its_priority
                    an_unknown_execution_is_not_found
                }
                create_execution {
                    a_new_execution_waits_for_a_worker
                    its_record_starts_empty
                    a_time_to_come_delays_it
                    a_time_that_has_come_delays_nothing
                    the_delay_is_the_arguments_or_the_policys
                    priorities_are_clamped
                    the_priority_of_the_policy_is_not_looked_at
                    the_deadline_is_the_arguments_or_the_policys
                    an_id_makes_no_second_execution
                    an_id_stays_taken_when_its_execution_has_ended
                    payloads_are_opaque_bytes
                    texts_no_store_can_keep_are_refused
                    a_partition_there_is_not_holds_nothing
                    what_was_acknowledged_survives_a_crash
                    an_engine_that_is_going_down_takes_none
                    a_key_makes_no_second_execution
                    a_key_counts_in_its_namespace_and_partition
                    an_empty_key_is_none
                    a_key_lasts_a_day
                    the_policy_says_how_long_a_key_lasts
                    a_window_of_zero_remembers_nothing
                    a_key_outlives_its_execution_and_the_engine
                    the_key_goes_before_the_id
                    of_two_at_once_one_is_created
                    a_policy_that_is_none_is_refused
                    requirements_that_are_none_are_refused
                    the_ceilings_of_requirements_are_inclusive
                    requirements_are_a_sorted_set
                    unknown_fields_of_a_policy_are_ignored
                    tag_keys_follow_the_grammar
                    tags_are_limited
                    a_duplicate_is_found_before_its_policy_is_read
                    a_refused_create_leaves_neither_key_nor_lane
                }
                create_executions {
                    outcomes_come_in_the_order_of_the_items
                    what_was_created_survives_a_crash
                    an_item_that_is_refused_fails_alone
                    items_of_one_call_are_duplicates_of_each_other
                    a_repeat_of_the_call_finds_only_duplicates
                    nothing_gives_nothing
                    a_call_takes_a_thousand_items_and_no_more
                    an_engine_that_is_going_down_takes_none
                }
                expire_execution {
                    past_its_deadline_a_waiting_execution_ends
                    past_its_deadline_it_ends_wherever_it_waits
                    past_its_deadline_a_running_execution_ends_and_is_not_retried
                    an_attempt_over_its_time_ends_the_execution
                    a_lapsed_lease_does_not_stop_the_clocks
                    a_revocation_stops_the_attempts_clock_and_not_the_deadline
                    a_clock_is_due_when_its_time_is_reached_and_not_before
                    a_clock_that_does_not_run_ends_nothing
                    a_timeout_ends_only_the_attempt_it_was_armed_for
                    what_has_ended_stays_as_it_ended
                    an_unknown_execution_is_an_answer
                }
                get_execution_tag {
                    a_tag_is_read_as_it_was_set
                    without_tag_or_execution_there_is_none
                }
                progress {
                    @lease_reports
                    @handle
                    what_is_given_is_noted_and_the_rest_left
                    nothing_but_the_progress_changes
                    progress_may_go_back
                    more_than_all_is_refused
                    a_message_no_store_can_keep_is_refused
                    progress_outlives_a_crash
                }
                promote_delayed {
                    it_goes_where_its_creation_puts_it
                    which_attempt_comes_next_is_kept
                    it_is_due_when_its_time_is_reached_and_not_before
                    a_repeat_finds_it_not_delayed
                    what_is_not_delayed_is_left_alone
                    a_delay_outlives_the_engine
                }
                replay_execution {
                    it_is_eligible_again_whatever_its_outcome
                    who_asks_and_why_is_kept_for_the_next_attempt
                    the_next_attempt_is_a_new_one
                    what_never_ran_is_replayed_too
                    the_old_result_is_gone_large_or_small
                    retries_begin_anew_and_reclaims_count_on
                    only_a_deadline_to_come_is_armed_again
                    what_has_not_ended_is_not_replayed
                    a_repeat_finds_it_not_terminal
                    replays_are_limited_by_the_policy_or_to_ten
                    an_unknown_execution_is_not_found
                    texts_no_store_can_keep_are_refused
                    waiting_after_a_replay_is_not_waiting_for_the_first_time
                }
                set_execution_tag {
                    a_tag_is_added_and_overwritten
                    the_same_value_changes_nothing
                    an_ended_or_running_execution_is_tagged_too
                    keys_follow_the_grammar
                    values_are_limited
                    an_execution_has_64_tags_at_most
                    an_unknown_execution_is_not_found
                    tags_set_at_once_are_all_kept
                }
            }
        }
    };
}

pub(crate) use cases;
