//! Operations on the engine as a whole.

pub mod backend_label;
pub mod capabilities;
pub mod ping;
pub mod prepare;
pub mod server_time_ms;
pub mod shutdown_prepare;

/// The cases of this concern on a target.
macro_rules! cases {
    ($target:expr) => {
        crate::suite::tests! {
            $target, leasehold_tests::harness::Options::default(),
            maintenance {
                backend_label {
                    it_names_the_store
                }
                capabilities {
                    a_flag_says_what_a_call_shows
                    nothing_is_missing_on_a_store_of_the_tree
                    the_version_is_that_of_the_build
                }
                ping {
                    a_running_engine_answers
                }
                prepare {
                    on_a_running_engine_there_is_nothing_left_to_do
                    a_store_stays_prepared
                }
                server_time_ms {
                    it_is_the_time_of_the_store
                    it_never_goes_back
                    a_step_of_the_machines_clock_ends_no_lease
                    it_does_not_go_back_over_a_restart
                }
                shutdown_prepare {
                    an_idle_engine_is_ready_at_once
                    holders_end_their_work_and_nobody_begins_any
                    what_is_under_way_is_waited_for
                    beyond_its_grace_nothing_is_waited_for
                    an_engine_started_anew_takes_work
                }
            }
        }
    };
}

pub(crate) use cases;
