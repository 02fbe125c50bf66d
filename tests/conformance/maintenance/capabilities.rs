//! `capabilities`: what this engine can do, proved by calling it.

use crate::case::Case;
use leasehold_contract::{
    AdmissionBlock, ApplyDependencyToChild, BlockExecution, CancelFlow, CancelFlowHeader, CancelWait, ChangePriority,
    ClaimPolicy, CloseWaitpoint, DeliverApprovalSignal, DeliverSignal, EdgeDirection, EngineError, EngineResult,
    ExpireExecution, ExpirePhase, FailureReason, FlowSpec, GiveUp, ListExpiredLeases, ListPendingWaitpoints,
    MarkLeaseExpired, PollTasks, PromoteDelayed, ResolveDependency, ResumeExecution, ResumeGrant, ResumeToken,
    RotateHmacSecret, SecretHex, SeedHmacSecret, SetEdgeGroupPolicy, SetExecutionTag, SetFlowTag, StageDependencyEdge,
    SuspendArgs, UnblockExecution,
};
use leasehold_core::backoff::FailureClass;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::flow::{PolicySpec, SUCCESS_ONLY};
use leasehold_core::ids::{
    EdgeId, ExecutionId, FlowId, LaneId, Namespace, SignalId, SuspensionId, WaitpointId, WorkerId, WorkerInstanceId,
};
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::record::{ResumeTrigger, SuspensionReason};
use leasehold_core::state::TerminalOutcome;
use leasehold_core::suspension::{ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_core::token::WaitpointToken;
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

async fn suspension(case: &Case, id: ExecutionId, called: &mut Called) {
    let (held, fenced) = (case.leased().await, case.leased().await);
    let home = id.home();
    let waitpoint_id = WaitpointId::new();
    let condition = || ResumeCondition::Single { waitpoint_key: "k".to_owned(), matcher: SignalMatcher::Wildcard };
    let suspend = |waitpoint_id| {
        let waitpoint = WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "k".to_owned() };
        SuspendArgs::new(SuspensionId::new(), waitpoint, condition(), SuspensionReason::WaitingForSignal, case.now())
    };
    let signal = DeliverSignal {
        execution_id: id,
        waitpoint_id,
        signal_id: SignalId::new(),
        signal_name: "go".to_owned(),
        signal_category: String::new(),
        source_type: String::new(),
        source_identity: String::new(),
        payload: None,
        payload_encoding: String::new(),
        correlation_id: None,
        idempotency_key: None,
        target_scope: String::new(),
        created_at: None,
        dedup_ttl_ms: 0,
        resume_delay_ms: 0,
        max_signals_per_execution: 0,
        waitpoint_token: WaitpointToken::new(""),
    };
    let approval = DeliverApprovalSignal {
        execution_id: id,
        lane_id: LaneId::new(LANE),
        waitpoint_id,
        signal_id: SignalId::new(),
        signal_name: "approved".to_owned(),
        idempotency_suffix: String::new(),
        signal_dedup_ttl_ms: 0,
        max_signals_per_execution: 0,
    };
    let resume = ResumeExecution { execution_id: id, trigger: ResumeTrigger::Operator, resume_delay_ms: 0 };
    let key = || SecretHex::new("ab".repeat(32));
    let rotate = RotateHmacSecret { new_kid: "k2".to_owned(), new_secret_hex: key(), grace_ms: 1 };
    call!(
        called,
        case.engine,
        create_waitpoint(&held.handle, "k".to_owned(), 1),
        suspend(&held.handle, suspend(waitpoint_id)),
        suspend_by_triple(fenced.execution.execution_id, fenced.execution.fence().into(), suspend(WaitpointId::new())),
        observe_signals(&held.handle),
        deliver_signal(signal),
        deliver_approval_signal(approval),
        resume_execution(resume),
        read_waitpoint_token(home, waitpoint_id),
        list_pending_waitpoints(ListPendingWaitpoints { execution_id: id, after: None, limit: None }),
        list_suspended(home, None, 1),
        close_waitpoint(CloseWaitpoint { execution_id: id, waitpoint_id, because: GiveUp::Abandonment }),
        expire_suspension(id),
        seed_waitpoint_hmac_secret(SeedHmacSecret { kid: "k1".to_owned(), secret_hex: key() }),
        rotate_waitpoint_hmac_secret_all(rotate),
        list_waitpoint_hmac_kids(home),
    );
}

async fn flows(case: &Case, id: ExecutionId, called: &mut Called) {
    let flow_id = FlowId::new();
    let edge_id = EdgeId::new();
    let namespace = Namespace::new("tenant");
    let spec = FlowSpec {
        flow_id: FlowId::new(),
        flow_kind: "kind".to_owned(),
        namespace: namespace.clone(),
        nodes: Vec::new(),
        edges: Vec::new(),
    };
    let stage = StageDependencyEdge {
        flow_id,
        edge_id,
        upstream_execution_id: id,
        downstream_execution_id: id,
        dependency_kind: SUCCESS_ONLY.to_owned(),
        data_passing_ref: None,
        expected_graph_revision: 0,
    };
    let apply = ApplyDependencyToChild {
        flow_id,
        edge_id,
        downstream_execution_id: id,
        upstream_execution_id: id,
        graph_revision: 0,
        dependency_kind: SUCCESS_ONLY.to_owned(),
        data_passing_ref: None,
    };
    let policy = PolicySpec { kind: "all_of".to_owned(), on_satisfied: None, k: None };
    let set = SetEdgeGroupPolicy { flow_id, downstream_execution_id: id, policy };
    let resolve = ResolveDependency {
        flow_id,
        edge_id,
        downstream_execution_id: id,
        upstream_execution_id: id,
        upstream_outcome: TerminalOutcome::Success,
    };
    let (cancellation_policy, reason) = (CancellationPolicy::FlowOnly, String::new);
    call!(
        called,
        case.engine,
        create_flow(flow_id, "kind".to_owned(), namespace),
        submit_flow(spec),
        add_execution_to_flow(flow_id, id),
        stage_dependency_edge(stage),
        apply_dependency_to_child(apply),
        set_edge_group_policy(set),
        resolve_dependency(resolve),
        cascade_completion(id, None),
        evaluate_flow_eligibility(id),
        cancel_flow(CancelFlow { flow_id, reason: reason(), cancellation_policy }, CancelWait::NoWait),
        cancel_flow_header(CancelFlowHeader { flow_id, reason: reason(), cancellation_policy, grace_ms: 0 }),
        ack_cancel_member(flow_id, id),
        drain_sibling_cancel_group(flow_id, id),
        reconcile_sibling_cancel_group(flow_id, id),
        project_flow_summary(flow_id),
        describe_flow(flow_id),
        describe_edge(flow_id, edge_id),
        list_edges(flow_id, EdgeDirection::Outgoing(id)),
        list_flows(id.home(), None, 1),
        list_flow_members(flow_id, None, 1),
        resolve_execution_flow_id(id),
        set_flow_tag(SetFlowTag { flow_id, key: "a.b".to_owned(), value: String::new() }),
        get_flow_tag(flow_id, "a.b"),
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
    suspension(case, id, &mut called).await;
    flows(case, id, &mut called).await;
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
