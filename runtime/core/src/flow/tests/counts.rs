//! Counts of members and what they make of a flow.

use crate::flow::{PublicFlowState as F, StateCounts};
use crate::state::PublicState as P;

fn of(states: &[P]) -> StateCounts {
    let mut counts = StateCounts::default();
    for state in states {
        counts.moved(None, Some(*state));
    }
    counts
}

#[test]
fn a_flow_is_what_its_members_make_it() {
    for (states, expected) in [
        (&[][..], F::Open),
        (&[P::Waiting], F::Open),
        (&[P::Resumable, P::Completed], F::Open),
        (&[P::Completed, P::Skipped], F::Completed),
        (&[P::Completed, P::Failed], F::Failed),
        (&[P::Cancelled], F::Failed),
        (&[P::Expired, P::Skipped], F::Failed),
        (&[P::Failed, P::Active, P::Suspended], F::Running),
        (&[P::Failed, P::Waiting], F::Open),
        (&[P::Suspended, P::Waiting], F::Blocked),
        (&[P::Delayed], F::Blocked),
        (&[P::RateLimited], F::Blocked),
        (&[P::WaitingChildren, P::Completed], F::Blocked),
    ] {
        assert_eq!(of(states).public_flow_state(), expected, "{states:?}");
    }
}

#[test]
fn members_that_move_are_counted_once() {
    let mut counts = of(&[P::Waiting, P::Resumable, P::Active]);
    assert_eq!((counts.waiting(), counts.total(), counts.ended()), (2, 3, 0));
    counts.moved(Some(P::Active), Some(P::Failed));
    counts.moved(Some(P::Waiting), Some(P::Waiting));
    assert_eq!((counts.waiting(), counts.total(), counts.ended()), (2, 3, 1));
    counts.moved(Some(P::Failed), None);
    assert_eq!((counts.total(), counts.ended()), (2, 0));
}

#[test]
fn every_flow_state_has_its_spelling() {
    let all = [F::Open, F::Running, F::Blocked, F::Completed, F::Failed, F::Cancelled];
    let names = ["open", "running", "blocked", "completed", "failed", "cancelled"];
    assert_eq!(all.map(F::as_str), names);
    assert_eq!(all.map(F::status), ["Active", "Active", "Active", "Completed", "Failed", "Cancelled"]);
}
