//! Fencing: what a caller with a wrong, partial or old fence sees, and in
//! which order.

use crate::fixture::{TTL_MS, World, code, holder, operator, refused};
use crate::situation::{Situation as S, Staged, complete_args, fail_args};
use leasehold_core::command::{
    CommandSource, Delay, FenceTriple, MarkLeaseExpired, RenewLease, UpdateProgress, WaitChildren,
};
use leasehold_core::error::{ContentionKind, EngineError};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch};
use leasehold_core::state::{LifecyclePhase, OwnershipState, TerminalOutcome};

type Call = fn(&mut World, ExecutionId, FenceTriple, CommandSource) -> &'static str;

fn renew(world: &mut World, id: ExecutionId, fence: FenceTriple, _: CommandSource) -> &'static str {
    code(&world.run(RenewLease { execution_id: id, attempt_index: AttemptIndex(0), fence, lease_ttl_ms: TTL_MS }))
}

fn progress(world: &mut World, id: ExecutionId, fence: FenceTriple, _: CommandSource) -> &'static str {
    code(&world.run(UpdateProgress { execution_id: id, fence, percent: Some(1), message: None }))
}

fn complete(world: &mut World, id: ExecutionId, fence: FenceTriple, source: CommandSource) -> &'static str {
    let mut args = complete_args(id, fence);
    args.source = source;
    code(&world.run(args))
}

fn fail(world: &mut World, id: ExecutionId, fence: FenceTriple, source: CommandSource) -> &'static str {
    let mut args = fail_args(id, fence);
    args.source = source;
    code(&world.run(args))
}

fn delay(world: &mut World, id: ExecutionId, fence: FenceTriple, source: CommandSource) -> &'static str {
    let delay_until = world.now;
    code(&world.run(Delay { execution_id: id, fence, source, delay_until }))
}

fn wait_children(world: &mut World, id: ExecutionId, fence: FenceTriple, source: CommandSource) -> &'static str {
    code(&world.run(WaitChildren { execution_id: id, fence, source }))
}

const OVERRIDABLE: [Call; 4] = [complete, fail, delay, wait_children];
const ALL: [Call; 6] = [complete, fail, delay, wait_children, renew, progress];

/// Each way to be wrong about a fence.
fn wrong(world: &mut World, right: FenceTriple) -> [FenceTriple; 3] {
    let epoch = right.lease_epoch.map(LeaseEpoch::next);
    [
        FenceTriple { lease_id: Some(world.lease_id()), ..right },
        FenceTriple { lease_epoch: epoch, ..right },
        FenceTriple { attempt_id: Some(world.attempt_id()), ..right },
    ]
}

fn parts(whole: FenceTriple) -> [FenceTriple; 6] {
    let none = FenceTriple::NONE;
    [
        FenceTriple { lease_id: None, ..whole },
        FenceTriple { lease_epoch: None, ..whole },
        FenceTriple { attempt_id: None, ..whole },
        FenceTriple { lease_id: whole.lease_id, ..none },
        FenceTriple { lease_epoch: whole.lease_epoch, ..none },
        FenceTriple { attempt_id: whole.attempt_id, ..none },
    ]
}

#[test]
fn each_part_of_the_triple_counts() {
    for call in ALL {
        let Staged { mut world, id, fence } = S::Leased.stage();
        for wrong in wrong(&mut world, fence) {
            assert_eq!(call(&mut world, id, wrong, holder()), "stale_lease");
            assert!(world.last.is_empty());
        }
        assert_eq!(call(&mut world, id, fence, holder()), "ok");
    }
}

#[test]
fn a_part_of_a_fence_is_refused_before_anything_but_a_missing_execution() {
    for situation in [S::Leased, S::Lapsed, S::Expired, S::Revoked, S::Resumable, S::Cancelled] {
        for call in ALL {
            let Staged { mut world, id, fence } = situation.stage();
            for part in parts(fence) {
                assert_eq!(call(&mut world, id, part, operator()), "partial_fence_triple", "{situation:?}");
            }
        }
    }
    let fence = S::Leased.stage().fence;
    for call in ALL {
        let Staged { mut world, id, .. } = S::Missing.stage();
        assert_eq!(call(&mut world, id, parts(fence)[0], holder()), "execution_not_found");
    }
}

#[test]
fn only_an_operator_does_without_a_fence() {
    let sources =
        [holder(), CommandSource::FlowCascade, CommandSource::SystemTimeout, CommandSource::Custom("me".into())];
    for source in sources {
        for call in ALL {
            let Staged { mut world, id, .. } = S::Leased.stage();
            assert_eq!(call(&mut world, id, FenceTriple::NONE, source.clone()), "fence_required");
        }
    }
    for call in OVERRIDABLE {
        let Staged { mut world, id, .. } = S::Leased.stage();
        assert_eq!(call(&mut world, id, FenceTriple::NONE, operator()), "ok");
    }
    for call in [renew as Call, progress] {
        let Staged { mut world, id, .. } = S::Leased.stage();
        assert_eq!(call(&mut world, id, FenceTriple::NONE, operator()), "fence_required");
    }
}

#[test]
fn an_operator_is_still_stopped_by_phase_revocation_and_expiry() {
    for call in OVERRIDABLE {
        for (situation, expected) in [
            (S::Resumable, "execution_not_active"),
            (S::Revoked, "lease_revoked"),
            (S::Lapsed, "lease_expired"),
            (S::Expired, "lease_expired"),
        ] {
            let Staged { mut world, id, .. } = situation.stage();
            assert_eq!(call(&mut world, id, FenceTriple::NONE, operator()), expected);
        }
        let Staged { mut world, id, fence } = S::Leased.stage();
        let wrong = wrong(&mut world, fence)[0];
        assert_eq!(call(&mut world, id, wrong, operator()), "stale_lease", "a given fence is compared");
    }
}

#[test]
fn a_lapsed_lease_is_reported_as_lapsed_even_to_a_wrong_fence() {
    for call in ALL {
        for situation in [S::Lapsed, S::Expired] {
            let Staged { mut world, id, fence } = situation.stage();
            for wrong in wrong(&mut world, fence) {
                assert_eq!(call(&mut world, id, wrong, holder()), "lease_expired");
            }
        }
        let Staged { mut world, id, fence } = S::Revoked.stage();
        for wrong in wrong(&mut world, fence) {
            assert_eq!(call(&mut world, id, wrong, holder()), "lease_revoked");
        }
    }
}

#[test]
fn refused_progress_does_not_mark_the_lapsed_lease() {
    let Staged { mut world, id, fence } = S::Lapsed.stage();
    assert_eq!(progress(&mut world, id, fence, holder()), "lease_expired");
    assert!(world.last.is_empty());
    assert_eq!(world.execution(id).vector().ownership_state(), OwnershipState::Leased);
}

#[test]
fn every_other_refused_write_marks_the_lapsed_lease() {
    for call in [complete as Call, fail, delay, wait_children, renew] {
        let Staged { mut world, id, fence } = S::Lapsed.stage();
        let transition = world.execution(id).last_transition_at;
        assert_eq!(call(&mut world, id, fence, holder()), "lease_expired");
        let execution = world.execution(id);
        assert_eq!(execution.vector().ownership_state(), OwnershipState::LeaseExpiredReclaimable);
        assert_eq!(execution.lease_expired_at, Some(world.now));
        assert_eq!((execution.last_mutation_at, execution.last_transition_at), (world.now, transition));
        assert_eq!(world.told(), ["expired"]);
        assert_eq!(call(&mut world, id, fence, holder()), "lease_expired");
        assert!(world.last.is_empty(), "the mark is set once");
    }
}

#[test]
fn a_lease_lapses_in_the_millisecond_it_expires() {
    for call in ALL {
        for (passed, expected) in [(TTL_MS - 1, "ok"), (TTL_MS, "lease_expired")] {
            let mut world = World::new();
            let id = world.create();
            let fence = world.claim(id).fence().into();
            world.pass(passed);
            assert_eq!(call(&mut world, id, fence, holder()), expected);
        }
    }
}

#[test]
fn a_promise_of_the_owner_keeps_the_lease_alive() {
    for call in ALL {
        let Staged { mut world, id, fence } = S::Lapsed.stage();
        world.promised_until = Some(world.now.plus(1));
        assert_eq!(call(&mut world, id, fence, holder()), "ok");
    }
    let Staged { mut world, id, fence } = S::Lapsed.stage();
    world.promised_until = Some(world.now);
    assert_eq!(complete(&mut world, id, fence, holder()), "lease_expired");
}

#[test]
fn a_holder_whose_execution_was_reclaimed_is_stale() {
    for call in ALL {
        let Staged { mut world, id, fence } = S::Expired.stage();
        world.reclaim(id);
        assert_eq!(call(&mut world, id, fence, holder()), "stale_lease");
        assert!(world.last.is_empty());
    }
}

#[test]
fn a_holder_whose_attempt_was_resumed_elsewhere_is_stale() {
    for call in ALL {
        let Staged { mut world, id, fence } = S::Resumable.stage();
        world.grant(id);
        let args = world.resume_args(id);
        world.run(args).unwrap();
        assert_eq!(call(&mut world, id, fence, holder()), "stale_lease");
    }
}

#[test]
fn a_refusal_tells_how_the_execution_stands() {
    let Staged { mut world, id, fence } = S::Cancelled.stage();
    let error = refused(world.run(complete_args(id, fence)), "execution_not_active");
    let EngineError::Contention { kind: ContentionKind::ExecutionNotActive(at) } = error else { panic!("{error:?}") };
    assert_eq!(at.terminal_outcome, TerminalOutcome::Cancelled);
    assert_eq!(at.lifecycle_phase, LifecyclePhase::Terminal);
    assert_eq!((Some(at.lease_epoch), at.attempt_id), (fence.lease_epoch, fence.attempt_id));

    let Staged { mut world, id, fence } = S::RetryDelayed.stage();
    let other = wrong(&mut world, fence)[2];
    let error = refused(world.run(fail_args(id, other)), "execution_not_active");
    let EngineError::Contention { kind: ContentionKind::ExecutionNotActive(at) } = error else { panic!("{error:?}") };
    assert_eq!((at.lifecycle_phase, at.attempt_id), (LifecyclePhase::Runnable, None));
}

#[test]
fn naming_another_attempt_index_is_stale() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let other = Some(AttemptIndex(1));
    let mut args = complete_args(id, fence);
    args.attempt_index = other;
    refused(world.run(args), "stale_lease");
    let mut args = fail_args(id, fence);
    args.attempt_index = other;
    refused(world.run(args), "stale_lease");
    let renewal = RenewLease { execution_id: id, attempt_index: AttemptIndex(1), fence, lease_ttl_ms: 5 };
    refused(world.run(renewal), "stale_lease");
    world.pass(TTL_MS);
    let mut args = complete_args(id, fence);
    args.attempt_index = other;
    refused(world.run(args), "lease_expired");
    world.run(MarkLeaseExpired { execution_id: id }).unwrap();
}
