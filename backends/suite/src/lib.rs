//! What every store must do, as tests that run on each of them.
//!
//! A backend's crate says in a [`Place`] how its tests come to a fresh store,
//! and calls [`every_store!`], and [`whole_batches!`] where a batch goes
//! through whole or not at all. What only one store can do stays in its own
//! crate and drives the same [`Engine`].

#[doc(hidden)]
pub mod commits;
mod engine;
#[doc(hidden)]
pub mod ownership;
#[doc(hidden)]
pub mod pages;
#[doc(hidden)]
pub mod records;
#[doc(hidden)]
pub mod whole;

pub use engine::{Engine, START, TTL_MS, create_command, engine_node};

use leasehold_backend::{Backend, ManualClock};
use std::future::Future;
use std::sync::Arc;

/// A store that nobody else uses, for as long as this lives.
pub trait Place: Sized {
    /// Its kind.
    type Store: Backend;

    /// Another one.
    fn fresh() -> Self;

    /// Opens it; it follows the clock.
    fn open(&self, clock: &Arc<ManualClock>) -> impl Future<Output = Arc<Self::Store>>;
}

/// Makes each of the named functions of a module a test at a place.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_at {
    ($place:ty, $module:ident: $($name:ident),* $(,)?) => {
        mod $module {
            #[allow(unused_imports, reason = "a place may be named by a path")]
            use super::*;
            $(#[tokio::test] async fn $name() { $crate::$module::$name::<$place>().await })*
        }
    };
}

/// What holds for every store, as tests at a place.
#[macro_export]
macro_rules! every_store {
    ($place:ty) => {
        $crate::tests_at!($place, records:
            every_kind_of_record_reads_back_in_the_order_asked_for,
            loading_nothing_gives_nothing,
            many_keys_are_loaded_by_one_call,
            the_same_uuid_in_two_partitions_is_two_executions,
            the_last_write_of_a_blob_in_a_batch_counts,
            deleted_records_of_every_kind_are_gone,
            a_record_made_and_deleted_in_one_batch_is_never_written,
            index_entries_follow_the_record_through_its_life,
        );
        $crate::tests_at!($place, pages:
            groups_are_listed_once_each_and_page_by_page,
            ready_executions_come_by_rank_and_from_their_own_group,
            what_is_eligible_in_a_lane_comes_by_rank_across_requirements,
            timers_come_by_time_and_go_with_their_cause,
            active_executions_come_by_id_and_leave_when_they_end,
            expired_leases_come_by_expiry_over_all_partitions,
            executions_of_a_partition_come_by_id,
            lanes_come_by_name_once_each,
            events_come_in_commit_order_across_epochs,
            no_page_is_longer_than_the_longest,
        );
        $crate::tests_at!($place, ownership:
            a_lapsed_lease_is_not_renewed,
            only_a_lapsed_node_is_buried_without_proof,
            a_buried_node_does_not_come_back_by_registering,
            every_takeover_has_a_greater_epoch_at_least_the_floor,
            a_partition_that_does_not_exist_is_not_taken,
            a_live_owner_keeps_its_partition_even_when_its_lease_lapsed,
            partition_time_never_decreases_across_owners,
            all_partitions_can_be_taken_at_once,
        );
        $crate::tests_at!($place, commits:
            a_part_whose_partition_was_taken_is_refused_and_the_other_goes_through,
            a_part_with_another_nonce_is_refused,
            a_batch_sent_twice_is_applied_once,
            a_batch_that_never_arrived_has_not_landed,
            what_was_refused_unnoticed_can_be_sent_again_under_the_new_epoch,
            an_event_number_that_exists_is_refused_for_good,
            a_thousand_changes_fit_into_one_batch,
            a_batch_may_span_every_partition,
            two_nodes_on_one_store_commit_to_their_own_partitions,
        );
    };
}

/// What holds where a batch goes through whole or not at all, as tests at a place.
#[macro_export]
macro_rules! whole_batches {
    ($place:ty) => {
        $crate::tests_at!($place, whole:
            every_part_of_a_buried_node_is_refused,
            a_node_nobody_registered_is_refused,
            an_impossible_change_leaves_nothing_of_its_batch_and_the_rest_goes_through_alone,
            a_caller_that_goes_away_leaves_no_open_transaction,
            an_empty_batch_advances_the_head,
            a_dead_node_that_owns_nothing_is_forgotten_in_time,
        );
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_named_by_a_macro() {
        let (macros, _) = include_str!("lib.rs").split_once("#[cfg(test)]").unwrap();
        let modules = [
            include_str!("records.rs"),
            include_str!("pages.rs"),
            include_str!("ownership.rs"),
            include_str!("commits.rs"),
            include_str!("whole.rs"),
        ];
        for module in modules {
            let cases: Vec<&str> = module
                .lines()
                .filter_map(|line| Some(line.strip_prefix("pub async fn ")?.split_once("<P: Place>")?.0))
                .collect();
            assert!(!cases.is_empty());
            for case in cases {
                assert!(macros.contains(&format!("            {case},\n")), "{case} runs on no store");
            }
        }
    }
}
