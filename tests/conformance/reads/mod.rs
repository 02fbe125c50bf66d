//! Reads of executions, attempts and lanes.

pub mod describe_execution;
pub mod get_execution_namespace;
pub mod get_execution_result;
pub mod list_attempts;
pub mod list_executions;
pub mod list_lanes;
pub mod read_current_attempt_index;
pub mod read_exec_core_fields;
pub mod read_execution_context;
pub mod read_execution_info;
pub mod read_execution_state;
pub mod read_total_attempt_count;

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::default(),
            reads {
                describe_execution {
                    a_waiting_execution_has_neither_attempt_nor_lease
                    a_running_execution_shows_its_attempt_and_lease
                    a_renewal_shows_at_once_stored_or_not
                    a_lost_lease_shows_until_it_is_replaced
                    a_block_shows_its_reason_and_detail
                    an_empty_detail_shows_as_none
                    an_ended_execution_shows_its_last_attempt_and_no_lease
                    before_a_retry_there_is_no_current_attempt
                    an_unknown_execution_gives_none
                }
                get_execution_namespace {
                    it_is_the_one_it_was_created_in
                    an_unknown_execution_gives_none
                }
                get_execution_result {
                    a_result_is_read_as_it_was_given
                    a_result_outlives_the_engine
                    without_one_there_is_none
                }
                list_attempts {
                    a_running_attempt_shows_its_lease_and_worker
                    an_attempt_shows_its_interruptions_and_its_end
                    each_attempt_tells_why_it_exists
                    pages_follow_each_other_without_gap_or_repeat
                    without_attempts_the_page_is_empty
                    a_limit_of_zero_gives_an_empty_page
                    an_unknown_execution_is_not_found
                }
                list_executions {
                    all_of_a_partition_are_listed_whatever_their_state
                    pages_follow_each_other_without_gap_or_repeat
                    a_cursor_needs_no_execution_behind_it
                    a_limit_of_zero_gives_an_empty_page
                    a_page_holds_a_thousand_at_most
                    a_place_outside_the_partition_is_refused
                }
                list_lanes {
                    a_lane_is_listed_from_its_first_submission_on
                    a_lane_of_many_partitions_is_listed_once
                    pages_follow_each_other_byte_by_byte
                    a_limit_of_zero_gives_an_empty_page
                }
                read_current_attempt_index {
                    it_points_to_the_live_or_last_attempt
                    it_follows_each_new_attempt
                    an_unknown_execution_is_not_found
                }
                read_exec_core_fields {
                    a_new_execution_shows_what_it_was_created_with
                    what_is_unset_or_unknown_is_none
                    a_running_execution_shows_its_attempt_and_lease
                    a_renewal_that_is_only_promised_shows
                    a_lost_lease_shows_how_it_was_lost
                    what_is_to_come_and_what_has_been_show
                    an_unknown_execution_has_no_fields
                    no_names_give_no_fields
                    a_partition_that_is_not_its_own_is_refused
                    a_read_takes_64_names_and_no_more
                }
                read_execution_context {
                    payload_kind_and_tags_come_together
                    the_payload_stays_through_the_whole_life
                    an_unknown_execution_is_invalid_input
                }
                read_execution_info {
                    a_new_execution_shows_what_it_was_created_with
                    start_and_end_show_once_they_have_been
                    the_index_is_that_of_the_last_attempt
                    a_block_shows_its_detail
                    an_unknown_execution_gives_none
                }
                read_execution_state {
                    each_state_has_its_label
                    an_unknown_execution_gives_none
                }
                read_total_attempt_count {
                    it_counts_attempts_and_not_leases
                    it_is_the_index_of_the_next_attempt
                    an_unknown_execution_is_not_found
                }
            }
        }
    };
}

pub(crate) use cases;
