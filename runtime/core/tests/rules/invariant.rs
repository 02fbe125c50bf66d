//! The checks of what holds always: each notices what it is there for.

use crate::fixture::World;
use crate::situation::{Situation as S, Staged};
use leasehold_core::decision::{Change, ChangeSet};
use leasehold_core::event::{Event, Fact, LeaseFact};
use leasehold_core::ids::{ExecutionId, LeaseEpoch};
use leasehold_core::invariant::{check_change, check_changes, check_execution};
use leasehold_core::record::{AttemptTimeout, Execution, Record, ResultRef};
use leasehold_core::state::{AttemptLifecycle, TerminalOutcome};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;

type Spoil = fn(&mut Execution);

#[test]
fn every_broken_record_is_noticed_by_its_rule() {
    let cases: [(S, &str, Spoil); 27] = [
        (S::Leased, "a lease is kept exactly while active", |e| e.lease = None),
        (S::Leased, "the lapse is dated exactly while lapsed", |e| e.lease_expired_at = Some(TimestampMs(0))),
        (S::Revoked, "the revocation is dated exactly while revoked", |e| e.lease_revoked_at = None),
        (S::Revoked, "a revocation has a reason", |e| e.lease_revoke_reason = None),
        (S::Leased, "the lease has the last epoch issued", |e| e.lease_epoch = LeaseEpoch(9)),
        (S::Leased, "a lease expires its time after the last renewal", |e| e.lease.as_mut().unwrap().ttl_ms += 1),
        (S::Leased, "renewal is advised at two thirds", |e| {
            e.lease.as_mut().unwrap().renewal_deadline = TimestampMs(0);
        }),
        (S::Leased, "a lease is renewed after it was issued", |e| {
            e.lease.as_mut().unwrap().acquired_at = TimestampMs(i64::MAX);
        }),
        (S::Leased, "the first claim starts the execution, its first attempt and its epochs", |e| e.started_at = None),
        (S::RetryEligible, "the current attempt is the last of all", |e| e.attempt.as_mut().unwrap().index.0 = 4),
        (S::RetryEligible, "every attempt had a lease", |e| e.total_attempt_count = 2),
        (S::Leased, "the attempt belongs to the execution", |e| e.attempt.as_mut().unwrap().execution = 0),
        (S::Leased, "lease and attempt agree on each other and on the worker", |e| {
            e.attempt.as_mut().unwrap().worker_instance_id = leasehold_core::ids::WorkerInstanceId::new("other");
        }),
        (S::Completed, "an attempt is dated when it ends", |e| e.attempt.as_mut().unwrap().ended_at = None),
        (S::Resumable, "the attempt stands where the state vector says", |e| {
            e.attempt.as_mut().unwrap().lifecycle = AttemptLifecycle::Started;
        }),
        (S::Resumable, "a suspended attempt says since when and for what", |e| {
            e.attempt.as_mut().unwrap().suspension_id = None;
        }),
        (S::RetryDelayed, "a pending retry or replay says why, and nothing else does", |e| e.pending = None),
        (S::Eligible, "a priority lies between 0 and 9000", |e| e.priority = 9001),
        (S::Completed, "replays stay within their limit", |e| e.replay_count = 11),
        (S::Eligible, "creation, transition and mutation follow in this order", |e| {
            e.last_mutation_at = TimestampMs(0);
        }),
        (S::Delayed, "a wake time is kept exactly while delayed", |e| e.delay_until = None),
        (S::Blocked, "the block is dated exactly while blocked", |e| e.blocked_at = None),
        (S::Eligible, "only a block, a suspension or the delay after one has a detail", |e| {
            e.blocking_detail = Some(String::new());
        }),
        (S::Leased, "a running attempt has a time limit, an interrupted one remembers it", |e| {
            e.attempt_timeout = Some(AttemptTimeout::Remaining(1));
        }),
        (S::Failed, "a failure says why", |e| e.failure_reason = None),
        (S::Cancelled, "only success has a result", |e| e.result = Some(ResultRef::Inline(Vec::new()))),
        (S::Completed, "a small result is in the record, a large one beside it", |e| {
            e.result = Some(ResultRef::Stored(1));
        }),
    ];
    for (situation, rule, spoil) in cases {
        let Staged { world, id, .. } = situation.stage();
        let mut execution = (*world.execution(id)).clone();
        assert_eq!(check_execution(&execution), Ok(()));
        spoil(&mut execution);
        assert_eq!(check_execution(&execution).unwrap_err().rule, rule);
    }
}

#[test]
fn a_grant_where_it_cannot_be_used_is_noticed() {
    let Staged { world, id, .. } = S::Granted.stage();
    let grant = world.execution(id).grant.clone();
    let Staged { world, id, .. } = S::Leased.stage();
    let mut execution = (*world.execution(id)).clone();
    execution.grant = grant;
    assert_eq!(check_execution(&execution).unwrap_err().rule, "a grant is kept only where it can be used");
}

fn steps(from: S, to: S) -> (Arc<Execution>, Arc<Execution>) {
    let execution = |Staged { world, id, .. }: Staged| world.execution(id);
    (execution(from.stage()), execution(to.stage()))
}

fn completed(outcome: TerminalOutcome) -> Fact {
    Fact::Completed { outcome, flow_id: None, cascade: false }
}

fn of_lease(execution: &Execution, what: LeaseFact) -> Fact {
    let lease = execution.lease.as_ref().unwrap();
    Fact::Lease {
        what,
        lease_id: lease.lease_id,
        lease_epoch: lease.lease_epoch,
        attempt_index: execution.current_attempt_index(),
        attempt_id: lease.attempt_id,
        worker_instance_id: lease.worker_instance_id.clone(),
    }
}

#[track_caller]
fn noticed(old: &Execution, new: &Execution, facts: &[Fact], rule: &str) {
    assert_eq!(check_change(old, new, facts).expect_err("a violation").rule, rule);
}

#[test]
fn an_end_must_be_told_once_and_truthfully() {
    let (old, new) = steps(S::Leased, S::Completed);
    let released = || of_lease(&old, LeaseFact::Released { reason: "completed".into() });
    let success = || completed(TerminalOutcome::Success);
    assert_eq!(check_change(&old, &new, &[released(), success()]), Ok(()));
    let rule = "an end is told once, with its outcome";
    noticed(&old, &new, &[released()], rule);
    noticed(&old, &new, &[released(), success(), success()], rule);
    noticed(&old, &new, &[released(), completed(TerminalOutcome::Failed)], rule);
    noticed(&old, &new, &[success()], "a lease that is given back says so once");
    noticed(&new, &new, &[success()], rule);
}

#[test]
fn a_lost_lease_must_not_come_back() {
    let (leased, expired) = steps(S::Leased, S::Expired);
    assert_eq!(check_change(&leased, &expired, &[of_lease(&leased, LeaseFact::Expired)]), Ok(()));
    noticed(&leased, &expired, &[], "a lease that lapses says so once");
    let mut revived = (*leased).clone();
    revived.last_mutation_at = expired.last_mutation_at;
    revived.last_transition_at = expired.last_mutation_at;
    noticed(&expired, &revived, &[], "a lost lease is never revived");
}

#[test]
fn what_must_never_change_is_noticed() {
    let Staged { world, id, .. } = S::RetryEligible.stage();
    let old = world.execution(id);
    let cases: [(&str, Spoil); 9] = [
        ("what an execution was created with never changes", |e| {
            Arc::make_mut(&mut e.spec).created_at = TimestampMs(1);
        }),
        ("the start is dated once", |e| e.started_at = Some(TimestampMs(1))),
        ("time does not run backwards", |e| e.last_mutation_at = TimestampMs(1)),
        ("the epoch moves only with a lease", |e| e.lease_epoch = LeaseEpoch(2)),
        ("an ended attempt never changes", |e| e.attempt.as_mut().unwrap().ended_at = Some(TimestampMs(1))),
        ("an attempt keeps its id and index", |e| e.attempt.as_mut().unwrap().index.0 = 1),
        ("retries are counted one at a time and start over with a replay", |e| e.retry_count = 0),
        ("reclaims are counted one at a time", |e| e.lease_reclaim_count = 1),
        ("a change of priority is told once", |e| e.priority = 6),
    ];
    for (rule, spoil) in cases {
        let mut new = (*old).clone();
        spoil(&mut new);
        noticed(&old, &new, &[], rule);
    }
}

#[test]
fn an_ended_execution_moves_only_by_a_replay() {
    let (old, new) = steps(S::Completed, S::ReplayPending);
    let replayed = Fact::Replayed { replay_count: 1, replay_type: "normal".into() };
    assert_eq!(check_change(&old, &new, &[replayed]), Ok(()));
    noticed(&old, &new, &[], "a replay says so once");
    let mut silent = (*new).clone();
    silent.replay_count = 0;
    silent.retry_count = old.retry_count;
    noticed(&old, &silent, &[], "only a replay moves an ended execution");
}

#[test]
fn nothing_wakes_before_its_time() {
    let (old, new) = steps(S::Delayed, S::Eligible);
    let mut early = (*new).clone();
    early.spec = old.spec.clone();
    early.last_transition_at = old.delay_until.unwrap().minus(1);
    early.last_mutation_at = early.last_transition_at;
    noticed(&old, &early, &[], "nothing wakes before its time");
}

#[test]
fn a_followed_attempt_must_be_kept() {
    let Staged { mut world, id, .. } = S::Expired.stage();
    world.reclaim(id);
    let mut set = world.last.clone();
    assert_eq!(check_changes(&set), Ok(()));
    set.changes.retain(|change| !matches!(change.new, Some(Record::Attempt(_))));
    assert_eq!(check_changes(&set).unwrap_err().rule, "an attempt that another one follows is kept, ended");
}

#[test]
fn a_creation_is_silent_and_a_change_speaks_once() {
    let mut world = World::new();
    let id = world.create();
    let set = world.last.clone();
    let noisy = with_event(set, id, completed(TerminalOutcome::Success));
    assert_eq!(check_changes(&noisy).unwrap_err().rule, "a creation tells nothing");
    let twice = with_event(noisy, id, completed(TerminalOutcome::Success));
    assert_eq!(check_changes(&twice).unwrap_err().rule, "a change tells everything in one event");
    let lane = world.records.values().find(|record| matches!(record, Record::Lane(_))).cloned();
    let new = Some(Record::Execution(world.execution(id)));
    let key = world.execution(id).id.uuid();
    let change = Change { key: leasehold_core::record::RecordKey::Execution(key), old: lane, new };
    let set = ChangeSet { changes: vec![change], ..ChangeSet::default() };
    assert_eq!(check_changes(&set).unwrap_err().rule, "a record keeps its kind");
}

fn with_event(mut set: ChangeSet, execution_id: ExecutionId, fact: Fact) -> ChangeSet {
    set.events.push(Event { execution_id, at: TimestampMs(0), facts: vec![fact] });
    set
}
