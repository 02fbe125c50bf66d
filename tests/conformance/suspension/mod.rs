//! Suspensions, waitpoints, signals and the key ring.

pub mod close_waitpoint;
pub mod create_waitpoint;
pub mod deliver_approval_signal;
pub mod deliver_signal;
pub mod expire_suspension;
pub mod list_pending_waitpoints;
pub mod list_suspended;
pub mod list_waitpoint_hmac_kids;
pub mod observe_signals;
pub mod read_suspension;
pub mod read_waitpoint_token;
pub mod resume_execution;
pub mod rotate_waitpoint_hmac_secret_all;
pub mod seed_waitpoint_hmac_secret;
pub mod suspend;
pub mod suspend_by_triple;

use leasehold_contract::ListPendingWaitpoints;
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;

/// The words in which an argument was refused.
fn detail(error: &EngineError) -> &str {
    match error {
        EngineError::Validation { detail, .. } => detail,
        other => panic!("not about an argument: {other:?}"),
    }
}

/// Arguments that list what an execution waits for.
const fn list(execution_id: ExecutionId) -> ListPendingWaitpoints {
    ListPendingWaitpoints { execution_id, after: None, limit: None }
}

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::default(),
            suspension {
                close_waitpoint {
                    an_abandoned_waitpoint_takes_nothing_any_more
                    one_whose_time_is_out_closes_and_not_before
                    one_that_is_part_of_a_suspension_stays_open
                    a_missing_waitpoint_is_not_found
                    of_two_at_once_one_closes
                }
                create_waitpoint {
                    @lease_marks
                    @handle
                    it_is_pending_and_the_execution_goes_on
                    each_call_makes_another_one
                    it_outlives_the_engine
                    it_may_stay_pending_for_ever
                    another_attempt_index_is_stale
                    a_key_no_store_can_keep_is_refused
                    a_thousand_and_24_may_be_open
                    without_a_key_no_token_is_minted
                    the_first_token_makes_the_first_key
                    an_end_by_any_door_closes_it
                    it_stays_when_the_lease_is_lost_or_given_back
                }
                deliver_approval_signal {
                    it_resumes_without_the_caller_knowing_the_token
                    each_answer_is_a_key_of_its_own
                    it_stays_a_duplicate_after_the_resume
                    a_pending_waitpoint_keeps_it
                    the_resume_delay_is_the_policys
                    checks_run_in_their_order
                    the_waitpoint_of_another_execution_is_refused
                    who_takes_no_signals_says_so
                    an_execution_accepts_so_many_signals_in_its_life
                    a_key_that_verifies_no_more_closes_this_door_too
                    texts_no_store_can_keep_are_refused
                }
                deliver_signal {
                    what_it_waits_for_lets_the_execution_go_on
                    the_signal_is_kept_as_it_was_sent
                    what_does_not_resume_is_kept_and_counted
                    every_waitpoint_of_the_suspension_closes
                    the_delay_is_the_signals_or_else_the_policys
                    a_delay_beyond_time_is_for_ever
                    a_resume_cancels_the_deadline
                    the_same_attempt_goes_on_once_under_the_next_epoch
                    a_poll_takes_the_resumed_execution
                    an_unknown_execution_is_not_found
                    who_takes_no_signals_says_so
                    an_execution_accepts_so_many_signals_in_its_life
                    payloads_are_opaque_bytes_up_to_64_kib
                    texts_no_store_can_keep_are_refused
                    names_of_the_engines_own_are_refused
                    a_pending_waitpoint_beside_an_open_suspension_keeps_signals
                    a_pending_waitpoint_keeps_it_for_later
                    a_repeat_to_a_pending_waitpoint_is_a_duplicate
                    a_closed_one_keeps_nothing
                    a_pending_waitpoint_keeps_a_thousand_and_24
                    a_single_condition_takes_any_signal_or_those_of_a_name
                    all_members_must_hold
                    members_may_be_composite_themselves
                    any_of_them_is_a_count_of_one
                    waitpoints_are_counted_once_each
                    signals_are_counted_one_by_one
                    senders_are_counted_once_each
                    a_waitpoint_no_node_names_is_not_part_of_it
                    matched_signals_are_counted_apart
                    operators_and_deadlines_hear_no_signals
                    progress_outlives_the_engine
                    before_and_after_the_suspend_count_alike
                    a_repeat_is_a_duplicate_also_after_the_resume
                    a_key_lasts_as_long_as_the_sender_says
                    without_a_key_the_id_makes_a_duplicate
                    a_key_without_time_to_live_is_ignored
                    keys_and_ids_belong_to_their_waitpoint
                    a_duplicate_needs_a_token_too
                    of_many_at_once_one_resumes
                    of_many_with_one_key_at_once_one_is_accepted
                    a_token_is_that_of_its_waitpoint_in_every_letter
                    the_token_of_another_execution_opens_nothing
                    without_a_token_nothing_is_revealed
                    a_refused_token_leaves_a_mark
                    a_flood_of_refused_tokens_leaves_one_mark_a_second
                    a_key_verifies_through_its_grace_and_not_after
                    the_key_in_use_never_expires
                    tokens_are_minted_as_specified
                    without_a_key_no_token_verifies
                }
                expire_suspension {
                    it_may_fail_the_execution
                    it_may_cancel_the_execution
                    it_may_expire_the_execution
                    no_retry_follows_a_suspension_that_failed
                    it_may_let_the_execution_go_on_and_says_so_by_a_signal
                    an_automatic_resume_knows_no_delay
                    it_may_hand_the_execution_to_an_operator
                    a_deadline_is_due_when_its_time_is_reached_and_not_before
                    without_a_deadline_nothing_is_due
                    what_is_not_suspended_is_left_alone
                    an_unknown_execution_is_an_answer
                    of_two_at_once_one_acts
                    a_pending_waitpoint_goes_with_the_execution_and_stays_with_the_living
                }
                list_pending_waitpoints {
                    open_waitpoints_are_shown_without_their_tokens
                    the_names_that_count_are_shown
                    only_open_ones_are_shown
                    those_of_others_are_not_shown
                    pages_follow_each_other_by_id
                    a_page_has_a_hundred_unless_asked_and_a_thousand_at_most
                    an_unknown_execution_is_not_found
                }
                list_suspended {
                    the_longest_suspended_is_shown_first
                    those_of_one_moment_are_shown_by_id
                    only_who_is_suspended_is_shown
                    a_partition_shows_its_own
                    pages_follow_each_other_without_gap_or_repeat
                    a_cursor_outlives_what_it_names
                    a_limit_of_zero_gives_an_empty_page
                    a_partition_without_executions_is_refused
                }
                list_waitpoint_hmac_kids {
                    without_a_key_none_is_shown
                    the_key_in_use_and_those_that_still_verify_are_shown
                    a_key_that_was_made_is_shown_where_it_was_made
                    a_partition_without_executions_is_refused
                }
                observe_signals {
                    @handle
                    a_signal_is_shown_as_it_was_sent
                    only_what_brought_the_condition_further_is_shown_in_order
                    nothing_is_shown_before_the_resume
                    a_suspension_that_ended_otherwise_shows_nothing
                    only_the_last_suspension_of_the_attempt_is_shown
                    another_attempt_sees_nothing_of_it
                    more_signals_than_are_read_at_once_are_all_shown
                    an_unknown_execution_has_received_nothing
                }
                read_suspension {
                    an_execution_that_was_never_suspended_has_none
                    an_unknown_execution_has_none
                    an_open_one_is_shown_as_it_was_asked_for
                    what_resumed_it_is_shown_with_where_it_came_to
                    a_closed_one_says_which_door_closed_it
                    the_next_suspension_takes_its_place
                    it_outlives_the_attempt_and_tells_which_one_it_was
                }
                read_waitpoint_token {
                    it_is_what_the_worker_was_given
                    pending_and_closed_waitpoints_have_theirs
                    a_rotation_leaves_it_as_it_was_minted
                    where_there_is_no_waitpoint_there_is_no_token
                    a_partition_without_executions_is_refused
                }
                resume_execution {
                    it_goes_on_and_everything_it_waited_for_is_closed
                    who_let_it_go_on_is_kept
                    every_condition_gives_way
                    a_delay_keeps_it_from_being_claimed
                    a_delay_beyond_time_is_for_ever
                    a_pending_waitpoint_beside_stays_pending
                    a_repeat_finds_it_not_suspended
                    what_is_not_suspended_is_left_alone
                    an_unknown_execution_is_not_found
                }
                rotate_waitpoint_hmac_secret_all {
                    the_new_key_mints_and_the_old_one_verifies_for_its_grace
                    a_repeat_changes_nothing
                    a_known_key_keeps_its_secret
                    a_key_that_still_verifies_is_promoted
                    keys_whose_time_is_out_are_forgotten
                    without_grace_a_key_verifies_to_the_end_of_the_millisecond
                    the_first_key_may_come_by_rotation
                    checks_run_in_their_order
                    keys_longer_than_a_block_are_reduced
                    so_many_keys_verify_at_most
                }
                seed_waitpoint_hmac_secret {
                    every_partition_gets_the_key
                    a_repeat_never_overwrites
                    another_key_in_use_points_to_a_rotation
                    what_is_no_key_is_refused
                    where_a_key_was_made_it_stays
                    a_configured_key_is_that_of_the_first_token
                }
                suspend {
                    @lease_marks
                    @handle
                    the_lease_is_given_back_and_the_attempt_kept
                    the_waitpoint_is_open_to_whoever_has_its_token
                    what_is_asked_for_is_kept
                    a_deadline_is_a_timer
                    a_deadline_may_lie_ten_minutes_back
                    every_reason_says_what_the_execution_waits_for
                    each_waitpoint_has_a_token_of_its_own
                    what_is_left_of_the_attempts_time_is_kept
                    the_next_suspension_takes_the_place_of_the_closed_one
                    a_suspension_outlives_the_engine
                    an_end_by_another_door_closes_everything
                    the_attempts_time_stands_still
                    nobody_holds_or_takes_a_suspended_execution
                    a_replay_after_a_suspension_starts_afresh
                    a_repeat_with_the_same_key_is_told_the_same
                    a_key_belongs_to_its_execution
                    an_empty_key_is_none
                    without_a_deadline_a_key_lasts_a_week
                    a_key_lasts_a_minute_longer_than_its_suspension_may
                    the_callers_clock_says_how_long_a_key_lasts
                    a_key_that_lapsed_serves_again
                    a_refusal_uses_up_no_key
                    a_pending_waitpoint_keeps_its_token_and_its_creation
                    what_came_before_may_satisfy_and_the_lease_is_kept
                    what_came_before_and_does_not_satisfy_counts
                    kept_signals_count_in_the_order_in_which_they_came
                    kept_signals_that_do_not_match_resume_nothing
                    an_answer_that_was_satisfied_is_repeated_by_its_key
                    a_satisfied_suspension_is_replaced_by_the_next
                    a_pending_waitpoint_beside_the_suspension_stays_pending
                    only_a_pending_waitpoint_of_this_attempt_is_taken_over
                    what_the_attempt_before_made_is_not_taken_over
                    bindings_and_condition_must_fit
                    a_waitpoint_is_named_once
                    a_deadline_is_needed_and_not_long_past
                    names_of_signals_are_neither_empty_nor_reserved
                    conditions_nest_four_deep
                    every_part_of_a_condition_can_be_met
                    the_first_check_that_fails_speaks
                    texts_no_store_can_keep_are_refused
                    a_suspension_has_256_waitpoints_at_most
                    a_condition_has_a_thousand_and_24_items_at_most
                    checks_run_in_their_order
                    a_suspended_execution_is_not_suspended_again
                    a_waitpoint_id_is_used_once
                    without_a_key_no_token_is_minted
                }
                suspend_by_triple {
                    @lease_marks
                    it_suspends_as_with_a_handle_and_gives_one
                    only_a_whole_fence_serves
                    checks_run_in_their_order
                    a_suspended_execution_is_not_active
                    a_repeat_with_the_same_key_is_told_the_same
                    what_came_before_may_satisfy
                }
            }
        }
    };
}

pub(crate) use cases;
