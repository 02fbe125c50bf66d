//! From cases to tests.
//!
//! A concern lists the cases of its operations, and every target makes a test
//! of each. A case that is not listed is dead code, which the compiler
//! reports.

/// Makes tests of the cases of a concern: for each operation, those of the
/// module of its name. `@lease_marks`, `@lease_reports` and `@handle` stand
/// for the cases that [`under_lease`](crate::fencing::under_lease) and
/// [`handle_form`](crate::handles::handle_form) make.
macro_rules! tests {
    ($target:expr, $options:expr, $concern:ident { $($operation:ident $cases:tt)+ }) => {
        mod $concern {
            $(mod $operation {
                crate::suite::tests_of! { ($target, $options, $concern, $operation) $cases }
            })+
        }
    };
}

/// Makes tests of the cases of one operation, one after the other.
macro_rules! tests_of {
    ($of:tt {}) => {};
    ($of:tt { @lease_marks $($rest:tt)* }) => {
        crate::suite::tests_of! { $of { @lease a_lapse_is_marked_although_the_call_fails $($rest)* } }
    };
    ($of:tt { @lease_reports $($rest:tt)* }) => {
        crate::suite::tests_of! { $of { @lease a_lapse_is_reported_and_not_marked $($rest)* } }
    };
    ($of:tt { @lease $($rest:tt)* }) => {
        crate::suite::tests_of! { $of {
            an_unknown_execution_is_not_found
            an_execution_given_back_is_not_active
            an_execution_that_expired_is_not_active
            a_revoked_lease_is_refused_whatever_the_fence
            a_marked_lapse_is_refused_whatever_the_fence
            every_part_of_the_fence_counts
            the_holder_before_a_reclaim_is_stale
            the_holder_before_a_resume_is_stale
            a_lease_is_live_to_its_last_millisecond
            $($rest)*
        } }
    };
    ($of:tt { @handle $($rest:tt)* }) => {
        crate::suite::tests_of! { $of {
            a_handle_of_another_backend_is_refused
            an_unreadable_handle_is_refused
            $($rest)*
        } }
    };
    (($target:expr, $options:expr, $concern:ident, $operation:ident) { $case:ident $($rest:tt)* }) => {
        #[test]
        fn $case() {
            let name = crate::case::Name { operation: stringify!($operation), case: stringify!($case) };
            crate::case::run($target, &$options, name, |case| {
                Box::pin(crate::$concern::$operation::$case(case))
            });
        }

        crate::suite::tests_of! { ($target, $options, $concern, $operation) { $($rest)* } }
    };
}

pub(crate) use {tests, tests_of};
