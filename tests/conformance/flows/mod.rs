//! Flows: executions that depend on one another.

pub mod ack_cancel_member;
pub mod add_execution_to_flow;
pub mod apply_dependency_to_child;
pub mod cancel_flow;
pub mod cancel_flow_header;
pub mod cascade_completion;
pub mod create_flow;
pub mod describe_edge;
pub mod describe_flow;
pub mod drain_sibling_cancel_group;
pub mod evaluate_flow_eligibility;
pub mod get_flow_tag;
pub mod graph;
pub mod list_edges;
pub mod list_flow_members;
pub mod list_flows;
pub mod project_flow_summary;
pub mod reconcile_sibling_cancel_group;
pub mod replay_execution;
pub mod resolve_dependency;
pub mod resolve_execution_flow_id;
pub mod set_edge_group_policy;
pub mod set_flow_tag;
pub mod shapes;
pub mod stage_dependency_edge;
pub mod submit_flow;
pub mod wait_children;

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::default(),
            flows {
                ack_cancel_member {
                    it_is_taken_off_the_list
                    who_has_not_ended_stays_on_the_list
                    what_is_not_on_the_list_is_fine
                }
                add_execution_to_flow {
                    a_member_is_listed_counted_and_stamped
                    a_repeat_finds_the_member
                    whoever_runs_or_has_ended_may_join
                    an_execution_elsewhere_is_refused_first_of_all
                    an_unknown_flow_is_not_found
                    a_cancelled_flow_takes_nobody
                    an_unknown_execution_is_not_found
                    a_member_of_another_flow_stays_there
                    of_two_at_once_each_is_counted
                }
                apply_dependency_to_child {
                    the_child_waits_for_it
                    a_repeat_finds_it_applied
                    checks_come_in_their_order
                    what_differs_from_the_staged_is_refused
                    a_cancelled_flow_applies_nothing
                    a_group_that_fired_takes_no_more
                    an_upstream_that_has_ended_resolves_it_at_once
                    a_group_is_not_judged_before_it_is_whole
                    the_last_apply_lets_a_lost_group_be_judged
                    a_running_child_is_not_stopped
                    a_suspended_child_is_not_stopped
                    a_promise_is_taken_back
                    what_held_the_child_before_holds_it_again
                    a_child_that_was_retried_waits_with_its_next_attempt
                }
                cancel_flow {
                    all_that_have_not_ended_end
                    the_pending_end_and_the_running_finish
                    members_are_left_alone_where_only_the_flow_is_cancelled
                    nobody_waits_unless_asked_to
                    with_nothing_to_end_it_is_done_at_once
                    a_repeat_is_told_what_is_stored
                    a_repeat_names_a_thousand_members_at_most
                    an_unknown_flow_is_not_found
                    reasons_no_store_can_keep_are_refused
                    a_wait_that_is_over_leaves_the_cancellation_standing
                    an_indefinite_wait_ends_after_five_minutes
                    a_wait_lasts_until_the_last_has_ended
                    what_is_selected_makes_no_step_before_it_ends
                    a_crash_between_two_steps_leaves_nobody_behind
                    the_lost_are_cancelled_and_not_skipped
                    a_running_upstream_that_finishes_resolves_nothing_cancelled
                    what_ended_badly_stays_as_it_ended
                    after_a_header_it_is_a_repeat
                    the_suspended_end_with_all_and_not_with_the_pending
                }
                cancel_flow_header {
                    the_selected_are_noted_and_left_to_others
                    a_repeat_is_told_what_is_stored
                    checks_come_in_their_order
                    what_is_selected_is_ended_when_it_would_move
                    the_caller_ends_and_acknowledges
                    after_a_cancellation_it_is_a_repeat
                }
                cascade_completion {
                    the_end_itself_has_done_everything
                    without_an_end_nothing_is_resolved
                    what_is_no_member_resolves_nothing
                    a_retry_is_no_end
                    all_of_waits_for_the_last
                    all_of_is_lost_with_the_first_bad_end
                    any_of_lets_the_others_run
                    a_quorum_cancels_what_is_left_over
                    a_quorum_out_of_reach_cancels_what_is_left_over
                    a_quorum_larger_than_its_group_is_given_up_at_the_last_end
                    a_staged_dependency_keeps_a_join_open
                    parallel_dependencies_count_each
                    two_joins_of_one_upstream_both_fire
                    cancelled_siblings_take_those_with_them_that_need_them
                    a_cancelled_flow_cancels_no_siblings
                    ends_at_the_same_time_fire_a_join_once
                    a_worker_is_handed_the_child_as_soon_as_it_may_run
                    a_small_result_becomes_the_payload
                    a_large_result_becomes_the_payload
                    an_apply_after_the_end_reads_the_result_from_the_store
                    without_a_reference_or_a_result_the_payload_stays
                    an_empty_result_is_a_result
                    of_all_the_last_to_end_wins
                    of_some_the_one_that_fires_the_join_wins
                    a_bad_end_passes_nothing
                    a_child_that_has_ended_keeps_its_payload
                    results_go_down_a_chain
                    a_skip_goes_all_the_way_down
                    a_skip_goes_as_deep_as_there_are_members
                    a_diamond_is_skipped_once
                    a_skip_stops_where_another_way_is_open
                    a_running_child_is_stopped
                    a_suspended_child_is_skipped_and_nothing_of_it_stays_open
                    a_child_that_has_ended_is_left_alone
                    a_skip_cancels_the_siblings_its_join_would_have_cancelled
                    many_turns_do_what_one_would
                    what_is_left_stands_in_the_store
                    a_crash_after_every_few_turns_strands_nobody
                    by_hand_the_next_steps_can_be_taken
                    a_member_that_moves_in_between_is_met_as_it_is
                    a_wide_success_lets_everybody_go
                    a_replay_in_between_undoes_nothing_of_an_end
                    siblings_left_over_are_cancelled_in_turns
                    a_flow_with_work_left_holds_up_no_other
                }
                create_flow {
                    a_new_flow_is_empty_and_open
                    a_repeat_finds_it_whatever_it_says
                    kinds_no_store_can_keep_are_refused
                    it_outlives_a_crash
                }
                describe_edge {
                    it_is_shown_as_it_was_staged
                    what_is_not_there_is_none
                }
                describe_flow {
                    it_shows_everything_there_is
                    a_cancellation_is_shown
                    only_members_with_dependencies_have_a_join
                    a_large_flow_is_shown_whole
                    an_unknown_flow_is_none
                }
                drain_sibling_cancel_group {
                    the_engine_has_drained_it_already
                    who_is_still_on_the_list_is_not_cancelled
                    what_is_not_there_is_drained
                }
                evaluate_flow_eligibility {
                    what_is_not_there_is_not_found
                    what_depends_on_nothing_is_eligible
                    open_dependencies_block
                    one_of_any_is_enough
                    what_runs_or_has_ended_is_not_runnable
                    a_replayed_member_is_judged_anew
                }
                get_flow_tag {
                    a_tag_is_read_as_it_was_set
                    without_tag_or_flow_there_is_none
                }
                list_edges {
                    each_side_is_listed_by_id
                    more_than_a_page_is_listed_whole
                    without_a_member_there_are_none
                }
                list_flow_members {
                    each_is_shown_with_what_comes_before_it
                    what_is_lost_is_shown_as_lost
                    declared_members_have_names
                    pages_follow_one_another
                    an_empty_flow_has_none_and_an_unknown_one_is_not_found
                }
                list_flows {
                    each_says_what_it_is_doing
                    pages_follow_one_another
                    each_partition_lists_its_own
                    strange_places_are_refused
                }
                project_flow_summary {
                    there_is_nothing_without_members
                    the_state_follows_the_members
                    a_replay_opens_it_again
                    one_bad_end_makes_it_failed
                    every_member_is_counted_however_many
                }
                reconcile_sibling_cancel_group {
                    the_engine_has_left_nothing
                    while_somebody_has_not_ended_it_stays
                    what_is_not_there_needs_nothing
                }
                replay_execution {
                    an_ended_member_is_eligible_again
                    a_skipped_member_waits_anew
                    what_succeeded_before_still_counts
                    where_the_upstream_is_still_lost_it_is_skipped_again
                    a_chain_is_replayed_from_its_top
                    the_rechecks_of_a_large_join_outlive_a_crash
                    a_replayed_upstream_resolves_nothing_a_second_time
                    in_a_cancelled_flow_nothing_is_replayed
                    replays_of_a_skipped_member_are_limited_too
                }
                resolve_dependency {
                    a_join_fires_once_as_its_policy_says
                    an_end_that_comes_later_finds_it_resolved
                    what_the_end_did_is_not_done_again
                    a_child_that_runs_goes_on
                    what_is_not_applied_is_refused
                }
                resolve_execution_flow_id {
                    a_member_names_its_flow_for_life
                    without_a_flow_or_an_execution_there_is_none
                }
                set_edge_group_policy {
                    it_is_kept_with_the_member
                    the_same_policy_is_set_already
                    policies_that_are_none_are_refused
                    checks_come_in_their_order
                    once_a_dependency_is_staged_it_stands
                }
                set_flow_tag {
                    a_tag_is_added_and_overwritten
                    the_same_value_changes_nothing
                    a_cancelled_flow_is_tagged_too
                    keys_follow_the_grammar_before_anything_else
                    values_and_their_number_are_limited
                }
                stage_dependency_edge {
                    it_is_in_the_graph_and_holds_nothing_back
                    two_may_have_the_same_ends
                    an_empty_reference_is_none
                    texts_and_kinds_come_before_everything
                    checks_come_in_their_order
                    a_repeat_finds_the_revision_stale
                    of_two_at_the_same_revision_one_is_staged
                    no_path_may_lead_back
                    a_staged_dependency_counts_as_a_path
                    a_search_that_finds_no_end_counts_as_a_cycle
                    a_member_may_have_more_than_a_page_on_either_side
                    an_ended_upstream_is_fine
                    it_outlives_a_crash
                }
                submit_flow {
                    a_declared_flow_exists_and_runs
                    a_flow_of_nothing_is_a_flow
                    a_repeat_finds_it_as_it_was_submitted
                    another_flow_does_not_take_its_id
                    a_large_flow_is_built_in_parts
                    payloads_too_many_for_one_part_are_built_too
                    what_is_not_sealed_does_not_run
                    a_flow_under_construction_takes_nothing_else
                    a_repeat_goes_on_where_the_first_call_stopped
                    two_who_submit_it_at_once_build_one_flow
                    a_flow_that_is_cancelled_under_construction_is_not_finished
                    what_cannot_become_a_flow_leaves_nothing
                    a_flow_has_its_limits
                    it_grows_like_any_other
                    a_node_keeps_what_else_holds_it
                    a_flow_of_another_kind_under_its_id_is_no_build
                }
                wait_children {
                    the_attempt_goes_on_when_the_join_fires
                    a_join_that_fired_keeps_nobody
                    without_a_dependency_nobody_waits
                    a_lost_join_skips_the_one_that_waits
                    one_that_waits_may_come_to_wait_for_more
                    the_others_of_a_race_are_cancelled_under_it
                    a_second_wait_waits_for_nothing_new
                }
            }
        }
    };
}

pub(crate) use cases;
