//! What a walk remembers, to check the rules that speak of a whole history.

use super::cast;
use crate::fixture::World;
use leasehold_core::command::{
    AdmitOutcome, ClaimedExecution, Command, CreateOutcome, FenceTriple, OPERATOR_IDENTITY, ReclaimOutcome, Reply,
};
use leasehold_core::decision::Decision;
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch, LeaseFence, LeaseId, WorkerId, WorkerInstanceId};
use leasehold_core::record::{AttemptKey, Execution, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What was told about one lease.
#[derive(Default)]
struct Life {
    expired: bool,
    revoked: bool,
    closed: bool,
}

#[derive(Default)]
pub struct Ledger {
    leases: HashMap<LeaseId, Life>,
    epochs: HashMap<ExecutionId, LeaseEpoch>,
    fences: HashMap<ExecutionId, Vec<FenceTriple>>,
    ends: BTreeMap<ExecutionId, usize>,
    keys: HashMap<String, (ExecutionId, TimestampMs)>,
}

impl Ledger {
    pub fn leases(&self) -> usize {
        self.leases.len()
    }

    pub fn ends(&self) -> usize {
        self.ends.values().sum()
    }

    pub fn fences(&self, id: ExecutionId) -> &[FenceTriple] {
        self.fences.get(&id).map_or(&[], Vec::as_slice)
    }

    pub fn observe(&mut self, command: &Command, before: Option<&Execution>, decision: &Decision, now: TimestampMs) {
        for event in &decision.changes.events {
            for fact in &event.facts {
                match fact {
                    Fact::Lease { what, lease_id, lease_epoch, attempt_id, worker_instance_id, .. } => {
                        let fence =
                            LeaseFence { lease_id: *lease_id, lease_epoch: *lease_epoch, attempt_id: *attempt_id };
                        self.observe_lease(event.execution_id, what, fence);
                        assert_capable(what, before, worker_instance_id);
                    }
                    Fact::Completed { .. } => *self.ends.entry(event.execution_id).or_default() += 1,
                    Fact::PriorityChanged { .. }
                    | Fact::Replayed { .. }
                    | Fact::CreateRefused { .. }
                    | Fact::SignalDelivered { .. } => {}
                }
            }
        }
        for change in &decision.changes.changes {
            assert!(
                !matches!(change.key, RecordKey::Attempt(_)) || change.old.is_none(),
                "an attempt that another one followed never changes"
            );
        }
        observe_grant(command, before, decision, now);
        self.observe_create(command, decision, now);
    }

    fn observe_lease(&mut self, id: ExecutionId, what: &LeaseFact, fence: LeaseFence) {
        if let LeaseFact::Acquired { .. } | LeaseFact::Reclaimed { .. } = what {
            let last = self.epochs.insert(id, fence.lease_epoch).unwrap_or_default();
            assert!(last < fence.lease_epoch, "epochs grow");
            assert!(self.leases.insert(fence.lease_id, Life::default()).is_none(), "a lease is opened once");
            self.fences.entry(id).or_default().push(fence.into());
            return;
        }
        let life = self.leases.get_mut(&fence.lease_id).expect("a lease is opened before anything else");
        assert!(!life.closed, "nothing follows a release: {what:?}");
        let lost = life.expired || life.revoked;
        match what {
            LeaseFact::Expired => {
                assert!(!lost);
                life.expired = true;
            }
            LeaseFact::Revoked { .. } => {
                assert!(!lost);
                life.revoked = true;
            }
            LeaseFact::Released { .. } => life.closed = true,
            _ => assert!(!lost, "a lost lease is never renewed"),
        }
    }

    /// Within its window a key stands for one execution.
    fn observe_create(&mut self, command: &Command, decision: &Decision, now: TimestampMs) {
        let (args, outcome) = match (command, &decision.outcome) {
            (Command::CreateExecution(args), Ok(Reply::CreateExecution(outcome))) => (&**args, outcome),
            (Command::Admit(admit), Ok(Reply::Admit(AdmitOutcome::Admitted(outcome)))) => {
                (admit.create().expect("it was readable"), outcome)
            }
            _ => return,
        };
        let Some(key) = args.idempotency_key.as_ref().map(ToString::to_string) else { return };
        let known = self.keys.get(&key).filter(|(_, until)| now < *until).map(|(id, _)| *id);
        match outcome {
            CreateOutcome::Duplicate { execution_id } => assert_eq!(known, Some(*execution_id)),
            CreateOutcome::Created { execution_id, .. } => {
                assert_eq!(known, None);
                let text = String::from_utf8(args.policy_json.clone().unwrap_or_default().to_vec()).unwrap();
                let window = if text.contains("dedup_window_ms") { 400 } else { 86_400_000 };
                self.keys.insert(key, (*execution_id, now.plus(window)));
            }
        }
    }

    /// Everything ended once, and once more for each replay.
    pub fn check_ends(&self, world: &World) {
        check_attempts(world);
        for execution in world.records.values().filter_map(Record::as_execution) {
            assert_eq!(self.ends.get(&execution.id), Some(&(execution.replay_count as usize + 1)));
        }
    }
}

/// Nobody but an operator holds what it lacks a capability for.
fn assert_capable(what: &LeaseFact, before: Option<&Execution>, instance: &WorkerInstanceId) {
    if !matches!(what, LeaseFact::Acquired { .. } | LeaseFact::Reclaimed { .. }) {
        return;
    }
    let requirements = &before.expect("it existed").spec.requirements;
    match cast::capabilities_of(instance) {
        Some(offered) => assert!(requirements.is_subset_of(&offered), "{instance} lacks {requirements:?}"),
        None => assert_eq!(instance.as_str(), OPERATOR_IDENTITY),
    }
}

/// A grant is used by the worker it names, while it is live.
fn observe_grant(command: &Command, before: Option<&Execution>, decision: &Decision, now: TimestampMs) {
    let check = |worker_id: &WorkerId, instance: &WorkerInstanceId, _: &ClaimedExecution| {
        let grant = before.and_then(|execution| execution.grant.as_ref()).expect("a grant was there");
        assert!(grant.is_live(now) && grant.names(worker_id, instance), "{command:?} used {grant:?}");
    };
    match (command, &decision.outcome) {
        (Command::ClaimExecution(args), Ok(Reply::ClaimExecution(claimed))) => {
            check(&args.worker_id, &args.worker_instance_id, claimed);
        }
        (Command::ClaimResumedExecution(args), Ok(Reply::ClaimResumedExecution(claimed))) => {
            check(&args.worker_id, &args.worker_instance_id, claimed);
        }
        (Command::ReclaimExecution(args), Ok(Reply::ReclaimExecution(ReclaimOutcome::Claimed(claimed)))) => {
            check(&args.worker_id, &args.worker_instance_id, claimed);
        }
        _ => {}
    }
}

/// Every attempt ever counted is there under its index, with an id of its
/// own, and all but the last have ended.
pub fn check_attempts(world: &World) {
    for execution in world.records.values().filter_map(Record::as_execution) {
        let mut ids: HashSet<_> = execution.attempt.iter().map(|attempt| attempt.attempt_id).collect();
        for index in 0..execution.current_attempt_index().0 {
            let key = AttemptKey { execution: execution.id.uuid(), index: AttemptIndex(index) };
            let Some(Record::Attempt(attempt)) = world.records.get(&RecordKey::Attempt(key)) else {
                panic!("attempt {index} of {} is missing", execution.id)
            };
            assert!(attempt.lifecycle.is_terminal());
            assert!(ids.insert(attempt.attempt_id), "attempt ids are never used twice");
        }
        let expected = execution.attempt.as_ref().map_or(0, |attempt| attempt.index.0 + 1);
        assert_eq!(ids.len(), expected as usize);
    }
}
