//! The transitions stay within the legal vectors.

use super::*;

fn all_legal() -> Vec<StateVector> {
    let mut legal = Vec::new();
    for &phase in LifecyclePhase::ALL {
        for &ownership in OwnershipState::ALL {
            for &eligibility in EligibilityState::ALL {
                for &blocking in BlockingReason::ALL {
                    for &outcome in TerminalOutcome::ALL {
                        for &attempt in AttemptState::ALL {
                            if let Ok(vector) =
                                StateVector::from_parts(phase, ownership, eligibility, blocking, outcome, attempt)
                            {
                                legal.push(vector);
                            }
                        }
                    }
                }
            }
        }
    }
    legal
}

#[test]
fn every_transition_from_a_fitting_state_is_legal() {
    let parks = [
        Park::Eligible,
        Park::Until(DelayReason::Requested),
        Park::Until(DelayReason::RetryBackoff),
        Park::Until(DelayReason::ResumeDelay),
        Park::Blocked(BlockedBy::Dependencies),
        Park::Blocked(BlockedBy::Budget),
        Park::Blocked(BlockedBy::Quota),
        Park::Blocked(BlockedBy::Route),
        Park::Blocked(BlockedBy::Operator),
        Park::Blocked(BlockedBy::LaneState),
    ];
    for vector in all_legal() {
        assert_eq!(vector.leased().check(), Ok(()));
        assert_eq!(vector.lease_expired().check(), Ok(()));
        assert_eq!(vector.lease_revoked().check(), Ok(()));
        assert_eq!(vector.retry_scheduled().check(), Ok(()));
        for park in parks {
            assert_eq!(vector.interrupted(park).check(), Ok(()));
            assert_eq!(vector.replayed(park).check(), Ok(()));
            assert_eq!(StateVector::created(park).check(), Ok(()));
            if vector.is_runnable() {
                assert_eq!(vector.parked(park).check(), Ok(()));
            }
        }
        if !vector.is_terminal() {
            assert_eq!(vector.ended(TerminalOutcome::Success, true).check(), Ok(()));
        }
    }
}

#[test]
fn contradictory_dimensions_are_refused_by_name() {
    let error = StateVector::from_parts(
        LifecyclePhase::Active,
        OwnershipState::Unowned,
        EligibilityState::NotApplicable,
        BlockingReason::None,
        TerminalOutcome::None,
        AttemptState::RunningAttempt,
    )
    .unwrap_err();
    assert_eq!(error.field, "ownership_state");
}

#[test]
fn an_interrupted_eligible_execution_is_resumable() {
    let vector = StateVector::created(Park::Eligible).leased().interrupted(Park::Eligible);
    assert_eq!(vector.public_state(), PublicState::Resumable);
}

#[test]
fn a_suspension_says_what_it_waits_for() {
    let legal = all_legal();
    let suspended = StateVector::created(Park::Eligible).leased().suspended(SuspendedFor::Approval);
    assert_eq!(suspended.public_state(), PublicState::Suspended);
    for by in [
        SuspendedFor::Signal,
        SuspendedFor::Approval,
        SuspendedFor::Callback,
        SuspendedFor::ToolResult,
        SuspendedFor::Operator,
        SuspendedFor::Policy,
        SuspendedFor::Budget,
    ] {
        assert!(legal.contains(&suspended.suspended(by)), "{by:?}");
    }
    assert_eq!(legal.iter().filter(|v| v.lifecycle_phase() == LifecyclePhase::Suspended).count(), 7);
    assert!(legal.iter().all(|v| v.lifecycle_phase() != LifecyclePhase::Submitted));
}
