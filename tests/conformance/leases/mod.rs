//! Grants, claims, leases and what ends them.

pub mod block_execution_for_admission;
pub mod block_route;
pub mod claim;
pub mod claim_execution;
pub mod claim_for_worker;
pub mod claim_from_resume_grant;
pub mod claim_resumed_execution;
pub mod complete;
pub mod complete_execution;
pub mod delay;
pub mod fail;
pub mod fail_execution;
pub mod issue_claim_grant;
pub mod issue_grant_and_claim;
pub mod issue_reclaim_grant;
pub mod list_expired_leases;
pub mod mark_lease_expired_if_due;
pub mod reclaim_execution;
pub mod renew;
pub mod renew_lease;
pub mod revoke_lease;
pub mod scan_eligible_executions;
pub mod unblock_execution;
pub mod wait_children;

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::default(),
            leases {
                block_execution_for_admission {
                    each_reason_has_its_state_its_queue_and_its_label
                    which_attempt_comes_next_is_kept
                    an_unknown_execution_is_not_found
                    an_ended_execution_is_not_active
                    only_the_eligible_are_blocked
                    a_promise_to_a_worker_is_kept
                    a_detail_no_store_can_keep_is_refused
                }
                block_route {
                    it_waits_for_a_capable_worker
                    a_detail_may_be_missing
                    a_repeat_finds_it_blocked
                    an_unknown_execution_is_not_found
                    what_ended_runs_or_is_promised_stays_where_it_is
                    a_detail_no_store_can_keep_is_refused
                }
                claim {
                    the_best_execution_is_leased_to_the_worker
                    without_work_none_is_given
                    priority_goes_before_age
                    work_is_found_in_every_partition
                    heads_the_worker_cannot_do_block_nothing
                    an_interrupted_attempt_is_continued
                    a_retry_starts_a_new_attempt
                    workers_at_once_get_different_work
                    a_repeated_request_is_given_the_same_lease
                    a_request_is_its_workers_own
                    a_request_whose_lease_has_ended_takes_new_work
                    one_who_waits_is_given_what_comes
                    one_who_waits_in_vain_is_told_so
                    arguments_out_of_bounds_are_refused
                    an_engine_that_is_going_down_gives_none
                }
                claim_execution {
                    a_grant_becomes_a_lease_and_a_running_attempt
                    record_lease_and_attempt_agree
                    the_renewal_deadline_is_two_thirds_rounded_down
                    an_unknown_execution_is_not_found
                    what_is_not_eligible_cannot_be_leased
                    an_interrupted_attempt_is_not_started_afresh
                    without_a_grant_of_its_own_nobody_claims
                    a_grant_is_good_to_its_last_millisecond
                    a_grant_that_ran_out_is_reported_and_removed
                    another_next_attempt_than_expected_is_refused
                    a_repeat_finds_it_leased
                    of_two_at_once_one_gets_it
                    a_retry_is_a_new_attempt_that_knows_the_last
                    a_replay_is_a_new_attempt_that_knows_the_last
                    epochs_and_indexes_go_on_over_retries_and_replays
                    the_attempts_limit_is_the_arguments_or_the_policys_or_a_day
                    a_deadline_of_the_claim_replaces_the_stored_one
                    a_lease_lasts_from_a_millisecond_to_24_days
                    an_attempt_policy_no_store_can_keep_is_refused
                }
                claim_for_worker {
                    the_best_execution_is_promised_to_the_worker
                    without_work_nothing_is_promised
                    each_call_promises_another_execution
                    work_is_found_in_every_partition
                    what_the_worker_cannot_do_is_put_aside_and_the_next_promised
                    a_worker_that_offers_enough_is_promised_it
                    several_unclaimable_heads_are_looked_past
                    promised_heads_are_looked_past_however_many
                    an_interrupted_execution_is_promised_alike
                    workers_at_once_are_promised_different_work
                    arguments_out_of_bounds_are_refused
                }
                claim_from_resume_grant {
                    the_worker_goes_on_with_its_attempt
                    a_grant_of_claim_for_worker_serves
                    what_is_no_longer_claimable_gives_none
                    an_ended_execution_is_not_revived
                    a_grant_that_is_not_the_workers_is_refused
                    a_grant_that_ran_out_is_reported_and_removed
                    an_unknown_execution_is_not_found
                    a_token_that_contradicts_itself_is_refused
                }
                claim_resumed_execution {
                    the_same_attempt_goes_on_under_a_new_lease
                    an_unknown_execution_is_not_found
                    what_is_not_runnable_cannot_be_leased
                    an_attempt_that_never_ran_is_not_continued
                    an_attempt_whose_time_has_not_come_stays_where_it_is
                    another_attempt_than_expected_is_refused
                    without_a_grant_of_its_own_nobody_claims
                    a_grant_that_ran_out_is_reported_and_removed
                    a_repeat_finds_it_leased
                    a_limit_of_the_claim_goes_before_what_was_left
                    the_deadline_stays
                    a_lease_lasts_from_a_millisecond_to_24_days
                }
                complete {
                    @lease_marks
                    @handle
                    a_worker_ends_its_execution_with_a_result
                    an_empty_result_is_not_none
                    a_repeat_is_recognised_and_changes_nothing
                    an_execution_that_ended_otherwise_is_not_active
                    a_result_over_the_limit_is_refused
                    the_kind_of_a_handle_carries_no_authority
                }
                complete_execution {
                    @lease_marks
                    the_execution_ends_and_its_lease_with_it
                    the_deadline_no_longer_matters
                    results_are_kept_as_they_are
                    how_a_result_is_encoded_is_kept_with_it
                    a_result_over_the_limit_is_refused
                    an_encoding_no_store_can_keep_is_refused
                    a_repeat_by_the_same_holder_is_recognised
                    a_repeat_is_recognised_after_a_restart
                    a_completed_execution_tells_others_how_it_ended
                    a_repeat_is_not_recognised_once_a_replay_began
                    a_failed_execution_is_not_completed_by_a_repeat
                    an_operator_completes_without_a_fence
                    an_operator_gets_past_neither_revocation_nor_lapse
                    only_an_operator_does_without_a_fence
                    a_part_of_a_fence_is_refused_before_anything_else_is_looked_at
                    another_attempt_index_is_stale
                    of_two_at_once_the_second_is_a_repeat
                }
                delay {
                    @lease_marks
                    @handle
                    the_lease_is_given_back_and_the_attempt_kept
                    a_time_that_has_passed_is_due_at_once
                    what_is_left_of_the_attempts_time_is_kept_and_the_deadline_too
                    a_repeat_finds_the_lease_gone
                    an_attempt_may_be_delayed_again_and_again
                }
                fail {
                    @lease_marks
                    @handle
                    the_stored_policy_grants_a_retry
                    without_a_policy_it_fails_for_good
                    permanent_and_cancelled_failures_are_final
                    a_readable_detail_is_the_category_and_else_the_class
                    categories_of_the_policy_are_compared_with_it
                    a_repeat_is_told_the_same
                    a_reason_no_store_can_keep_is_refused
                }
                fail_execution {
                    @lease_marks
                    a_retry_is_scheduled_behind_its_backoff
                    without_a_policy_the_execution_fails_for_good
                    retries_end_when_they_are_used_up
                    backoff_follows_the_policy
                    jitter_shortens_and_varies
                    the_class_may_rule_a_retry_out
                    only_named_categories_are_retried
                    a_policy_of_the_call_goes_before_the_stored_one
                    the_deadline_outlives_the_attempt_and_its_timeout_does_not
                    a_repeat_is_told_the_scheduled_retry
                    a_repeat_is_told_the_final_failure
                    the_next_attempt_ends_the_memory_of_the_last
                    giving_the_lease_back_is_not_taken_for_a_failure
                    an_operator_fails_it_without_a_fence
                    only_an_operator_does_without_a_fence
                    another_attempt_index_is_stale
                    texts_no_store_can_keep_are_refused
                }
                issue_claim_grant {
                    the_promise_is_kept_beside_an_execution_that_stays_in_its_queue
                    an_interrupted_execution_is_promised_alike
                    an_unknown_execution_is_not_found
                    what_is_not_eligible_is_promised_to_nobody
                    one_promise_at_a_time
                    a_promise_that_ran_out_counts_as_none
                    the_queue_of_another_lane_does_not_hold_it
                    a_worker_that_lacks_something_is_told_what
                    a_flood_of_mismatches_leaves_one_mark
                    a_worker_that_offers_enough_is_promised_it
                    checks_run_in_their_order
                    a_promise_lasts_at_least_a_millisecond
                    texts_no_store_can_keep_are_refused
                }
                issue_grant_and_claim {
                    an_operator_starts_a_fresh_attempt
                    an_operator_continues_an_interrupted_attempt
                    capabilities_are_not_asked_for
                    retries_and_replays_start_their_kind_of_attempt
                    an_unknown_execution_is_not_found
                    what_is_not_runnable_is_not_eligible
                    a_promise_to_a_worker_is_kept
                    a_promise_that_ran_out_counts_as_none
                    an_interrupted_attempt_is_not_seized_before_its_time
                    what_stands_in_no_queue_of_the_lane_is_not_taken
                    a_repeat_finds_it_leased
                    a_lease_lasts_from_a_millisecond_to_24_days
                }
                issue_reclaim_grant {
                    a_lost_execution_is_promised_to_a_worker
                    what_has_not_lost_its_lease_is_not_reclaimable
                    an_unknown_execution_is_not_found
                    one_promise_at_a_time
                    a_worker_that_lacks_something_is_told_what
                    at_the_cap_the_execution_ends_instead
                    a_cap_of_zero_allows_no_reclaim
                    arguments_out_of_bounds_are_refused
                }
                list_expired_leases {
                    a_lease_is_listed_once_it_has_run_out_marked_or_not
                    what_was_revoked_released_or_reclaimed_is_not_listed
                    a_renewal_that_is_only_promised_counts
                    entries_come_by_expiry_then_by_execution_over_all_partitions
                    pages_follow_each_other_without_gap_or_repeat
                    a_limit_of_zero_gives_an_empty_page
                    any_time_may_be_asked_about
                    only_the_namespace_asked_for_is_listed
                }
                mark_lease_expired_if_due {
                    a_lease_that_ran_out_is_marked_and_can_be_reclaimed
                    a_lease_is_due_when_its_time_is_reached_and_not_before
                    a_renewal_that_is_only_promised_counts
                    a_repeat_finds_it_marked
                    what_has_no_lease_to_mark_is_left_alone
                }
                reclaim_execution {
                    a_new_attempt_takes_the_place_of_the_lost_one
                    the_lost_attempt_ends_as_interrupted
                    the_new_attempt_knows_how_the_lease_was_lost
                    a_revoked_execution_forgets_its_revocation
                    the_attempts_limit_is_armed_anew
                    what_has_not_lost_its_lease_is_not_reclaimable
                    a_repeat_finds_it_leased
                    without_a_grant_of_its_own_nobody_reclaims
                    a_grant_that_ran_out_is_removed
                    an_unknown_execution_is_not_found
                    a_cap_of_the_call_ends_the_execution_when_it_is_reached
                    the_policys_cap_goes_before_that_of_the_call
                    the_copy_of_the_cap_in_the_timeout_policy_is_not_looked_at
                    a_missing_grant_goes_before_the_cap
                    an_execution_is_reclaimed_as_often_as_it_is_lost
                    arguments_out_of_bounds_are_refused
                }
                renew {
                    @lease_marks
                    @handle
                    the_handle_says_for_how_long
                    the_same_handle_renews_again_and_again
                    a_handle_that_asks_for_no_time_or_for_ever_is_refused
                }
                renew_lease {
                    @lease_marks
                    the_expiry_moves_and_ids_and_epoch_stay
                    a_renewal_may_shorten_the_lease
                    a_changed_time_to_live_is_stored_at_once
                    renewals_repeat
                    an_early_renewal_is_answered_before_it_is_stored
                    early_renewals_promise_one_time_to_live_beyond_what_is_stored
                    another_attempt_index_is_stale
                    nobody_renews_without_a_whole_fence
                    a_lease_lasts_from_a_millisecond_to_24_days
                }
                revoke_lease {
                    the_worker_loses_its_lease_and_the_execution_can_be_reclaimed
                    a_lease_that_is_lost_already_needs_no_revoking
                    an_unknown_execution_is_not_found
                    what_is_not_active_has_no_lease_to_revoke
                    another_lease_than_expected_is_stale
                    another_process_than_named_keeps_its_lease
                    a_reason_no_store_can_keep_is_refused
                    the_new_lease_after_a_reclaim_can_be_revoked_too
                }
                scan_eligible_executions {
                    higher_priorities_first_then_the_older_then_by_id
                    no_age_outweighs_a_step_of_priority
                    a_limit_cuts_and_zero_gives_nothing
                    only_the_eligible_of_the_lane_and_partition_are_listed
                    what_was_acknowledged_is_seen
                    a_partition_that_holds_no_executions_is_refused
                }
                unblock_execution {
                    it_goes_back_to_its_old_place_whatever_the_reason
                    an_interrupted_attempt_is_due_to_go_on
                    another_reason_than_expected_is_refused
                    what_admission_does_not_block_is_not_unblocked
                    a_repeat_finds_it_eligible
                    an_unknown_execution_is_not_found
                    what_was_unblocked_can_be_claimed
                }
                wait_children {
                    @lease_marks
                    @handle
                    without_children_the_attempt_is_due_to_go_on_at_once
                    what_is_left_of_the_attempts_time_is_kept
                    a_repeat_finds_the_lease_gone
                }
            }
        }
    };
}

pub(crate) use cases;
