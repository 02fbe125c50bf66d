//! What commands ask for beyond what they name: an execution that neither
//! waits nor belongs to a flow costs a store no further read.

use crate::fixture::{TTL_MS, World, grant_args, holder, operator, reclaim_grant_args};
use crate::situation::{complete_args, fail_args};
use leasehold_core::command::{
    CancelExecution, Claim, ClaimOutcome, Delay, FenceTriple, MarkLeaseExpired, Operation, PromoteDelayed, RenewLease,
    ReplayExecution, Settle,
};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{Holder, RecordKey, WaitKey};
use leasehold_core::view::Need;

fn claim(w: &mut World, id: ExecutionId) -> FenceTriple {
    let args = Claim {
        execution_id: id,
        worker_id: crate::fixture::worker(),
        worker_instance_id: crate::fixture::instance(),
        holder: Holder::Remote,
        capabilities: crate::fixture::offered(&[]),
        request_id: None,
        lease_id: w.lease_id(),
        attempt_id: w.attempt_id(),
        lease_ttl_ms: TTL_MS,
    };
    match silent(w, args) {
        ClaimOutcome::Claimed(claimed) => claimed.fence().into(),
        ClaimOutcome::Skipped(skip) => panic!("{skip:?}"),
    }
}

/// Runs what must ask for nothing.
#[track_caller]
fn silent<O: Operation>(w: &mut World, operation: O) -> O::Outcome {
    let outcome = w.run(operation).unwrap();
    assert_eq!(w.asked, Vec::<Vec<Need>>::new(), "{} asks for more than it names", O::NAME);
    outcome
}

#[test]
fn the_life_of_an_execution_asks_for_nothing_it_does_not_name() {
    let mut w = World::new();
    let args = w.create_args();
    let id = args.execution_id;
    silent(&mut w, args);
    let fence = claim(&mut w, id);
    let attempt_index = w.execution(id).current_attempt_index();
    silent(&mut w, RenewLease { execution_id: id, attempt_index, fence, lease_ttl_ms: TTL_MS });
    silent(&mut w, Settle { execution_id: id, holder_gone: None });
    silent(&mut w, complete_args(id, fence));
    silent(&mut w, ReplayExecution { execution_id: id, requested_by: None, reason: None });
    // The attempt before becomes a record of its own, which nobody looks for.
    let fence = claim(&mut w, id);
    assert_eq!(w.attempt(id, 0).index.0, 0);
    silent(&mut w, fail_args(id, fence));
}

#[test]
fn delays_losses_and_cancellations_ask_for_nothing_either() {
    let mut w = World::new();
    let id = w.create();
    let fence = claim(&mut w, id);
    let delay_until = w.now.plus(5);
    silent(&mut w, Delay { execution_id: id, fence, source: holder(), delay_until });
    w.pass(5);
    silent(&mut w, PromoteDelayed { execution_id: id });
    claim(&mut w, id);
    w.pass(TTL_MS);
    silent(&mut w, MarkLeaseExpired { execution_id: id });
    silent(&mut w, reclaim_grant_args(id));
    let args = w.reclaim_args(id);
    silent(&mut w, args);
    let cancel =
        CancelExecution { execution_id: id, reason: String::new(), source: operator(), fence: FenceTriple::NONE };
    silent(&mut w, cancel);
    let other = w.create();
    silent(&mut w, grant_args(other));
}

#[test]
fn an_execution_that_waited_is_looked_through_once_it_ends() {
    let (mut w, id, fence) = World::leased();
    let pending = w.create_waitpoint(id, "later").waitpoint_id;
    w.run(complete_args(id, fence)).unwrap();
    let record = |key: WaitKey| vec![Need::Record(RecordKey::Wait(key))];
    assert_eq!(w.asked, [record(WaitKey::Waits(id.uuid())), record(WaitKey::Waitpoint(pending))]);
}

#[test]
fn a_settle_looks_at_waits_only_when_they_are_due() {
    let (mut w, id, _) = World::leased();
    let details = w.suspend(id, |args| args.timeout_at = super::waits::fixture::at(50));
    silent(&mut w, Settle { execution_id: id, holder_gone: None });
    w.pass(1_000);
    w.run(Settle { execution_id: id, holder_gone: None }).unwrap();
    let record = |key: WaitKey| vec![Need::Record(RecordKey::Wait(key))];
    let bound = details.primary.waitpoint_id;
    assert_eq!(w.asked, [record(WaitKey::Waits(id.uuid())), record(WaitKey::Waitpoint(bound))]);
}

#[test]
fn a_signal_names_all_it_needs_unless_other_waitpoints_close() {
    let (mut w, id, to) = World::suspended();
    let mut args = w.signal_args(id, to.waitpoint_id, &to.waitpoint_token);
    args.payload = Some(vec![1; 300].into());
    args.idempotency_key = Some("k".into());
    silent(&mut w, args);
    assert_eq!(w.vector(id).1, "resumable");
    w.grant(id);
    let args = w.resume_args(id);
    silent(&mut w, args);
    let args = w.suspend_args(id);
    silent(&mut w, args);
}
