//! `capabilities`: what this engine can do, proved by calling it.

use crate::case::Case;
use leasehold_contract::{
    AdmissionBlock, BlockExecution, ChangePriority, ClaimPolicy, EngineError, EngineResult, ExpireExecution,
    ExpirePhase, FailureReason, ListExpiredLeases, MarkLeaseExpired, PollTasks, PromoteDelayed, ResumeGrant,
    ResumeToken, SetExecutionTag, UnblockExecution,
};
use leasehold_core::backoff::FailureClass;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use leasehold_tests::harness::act::{cancellation, completion, failure, renewal, replay, revocation};
use leasehold_tests::harness::{INSTANCE, LANE, TTL_MS, WORKER};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether each operation was available, by its name.
type Called = BTreeMap<&'static str, bool>;

fn available<T>(result: &EngineResult<T>) -> bool {
    !matches!(result, Err(EngineError::Unavailable { .. }))
}

macro_rules! call {
    ($called:ident, $engine:expr, $($operation:ident($($argument:expr),*)),+ $(,)?) => {
        $($called.insert(stringify!($operation), available(&$engine.$operation($($argument),*).await));)+
    };
}

async fn executions(case: &Case, id: ExecutionId, called: &mut Called) {
    let held = case.leased().await;
    let phase = ExpirePhase::ExecutionDeadline;
    let tag = SetExecutionTag { execution_id: id, key: "a.b".to_owned(), value: "v".to_owned() };
    call!(
        called,
        case.engine,
        create_execution(case.create(case.id())),
        create_executions(vec![case.create(case.id())]),
        progress(&held.handle, Some(1), None),
        cancel(&held.handle, String::new()),
        cancel_execution(cancellation(id)),
        replay_execution(replay(id)),
        change_priority(ChangePriority { execution_id: id, new_priority: 1 }),
        expire_execution(ExpireExecution { execution_id: id, phase, attempt_index: None }),
        promote_delayed(PromoteDelayed { execution_id: id }),
        set_execution_tag(tag),
        get_execution_tag(id, "a.b"),
    );
}

async fn leases(case: &Case, id: ExecutionId, called: &mut Called) {
    let held = case.leased().await;
    let lane = LaneId::new(LANE);
    let policy = ClaimPolicy { max_wait_ms: None, ..case.policy() };
    let token = ResumeToken {
        grant: ResumeGrant {
            execution_id: id,
            partition_key: id.home().into(),
            grant_key: String::new(),
            expires_at_ms: case.now(),
            lane_id: lane.clone(),
        },
        worker_id: WorkerId::new(WORKER),
        worker_instance_id: WorkerInstanceId::new(INSTANCE),
        lease_ttl_ms: TTL_MS,
    };
    let block = BlockExecution { execution_id: id, reason: AdmissionBlock::WaitingForQuota, detail: None };
    call!(
        called,
        case.engine,
        claim(&lane, &CapabilitySet::EMPTY, &policy),
        scan_eligible_executions(&lane, id.home(), 1),
        issue_claim_grant(case.grant(id)),
        claim_execution(case.claim(id)),
        claim_for_worker(case.for_worker()),
        issue_grant_and_claim(case.seize(id)),
        claim_resumed_execution(case.resume(id)),
        claim_from_resume_grant(token),
        renew(&held.handle),
        renew_lease(renewal(&held.execution)),
        delay(&held.handle, case.now()),
        wait_children(&held.handle),
        complete(&held.handle, None),
        complete_execution(completion(&held.execution)),
        fail(&held.handle, FailureReason::default(), FailureClass::Transient),
        fail_execution(failure(&held.execution)),
        revoke_lease(revocation(id)),
        mark_lease_expired_if_due(MarkLeaseExpired { execution_id: id }),
        issue_reclaim_grant(case.reclaim_grant(id)),
        reclaim_execution(case.reclaim(id)),
        list_expired_leases(ListExpiredLeases::default()),
        block_route(id, None),
        block_execution_for_admission(block),
        unblock_execution(UnblockExecution { execution_id: id, expected_reason: None }),
    );
}

async fn reads_and_work(case: &Case, id: ExecutionId, called: &mut Called) {
    call!(
        called,
        case.engine,
        describe_execution(id),
        read_execution_context(id),
        read_execution_info(id),
        read_execution_state(id),
        get_execution_result(id),
        get_execution_namespace(id),
        read_exec_core_fields(id.home(), id, &[]),
        read_current_attempt_index(id),
        read_total_attempt_count(id),
        list_executions(id.home(), None, 1),
        list_lanes(None, 1),
        list_attempts(id, None, 1),
        poll_tasks(PollTasks { max_wait: Duration::ZERO, ..case.poll() }),
        wait_terminal(id, Duration::ZERO),
        prepare(),
        ping(),
        server_time_ms(),
        shutdown_prepare(Duration::ZERO),
    );
    // These two cannot fail.
    called.insert("capabilities", !case.engine.capabilities().supports.is_empty());
    called.insert("backend_label", !case.engine.backend_label().is_empty());
}

pub async fn a_flag_says_what_a_call_shows(case: &mut Case) {
    let id = case.waiting().await;
    let mut called = Called::new();
    executions(case, id, &mut called).await;
    leases(case, id, &mut called).await;
    reads_and_work(case, id, &mut called).await;
    assert_eq!(case.engine.capabilities().supports, called);
}

pub async fn nothing_is_missing_on_a_store_of_the_tree(case: &mut Case) {
    let missing: Vec<_> = case.engine.capabilities().supports.into_iter().filter(|(_, flag)| !flag).collect();
    assert_eq!(missing, []);
}

pub async fn the_version_is_that_of_the_build(case: &mut Case) {
    let version = case.engine.capabilities().identity.version;
    let told = format!("{}.{}.{}", version.major, version.minor, version.patch);
    assert_eq!(told, env!("CARGO_PKG_VERSION"));
}
