//! The last phase: what is left, and what brings it to its end.

use super::flow_op::FlowOp;
use super::kept;
use super::op::Op;
use super::wait_op::WaitOp;
use super::world::PARTITIONS;
use leasehold_backend::Backend;
use leasehold_contract::{ApplyDependencyToChild, ResumeExecution};
use leasehold_core::flow::{SUCCESS_ONLY, SlotState};
use leasehold_core::record::flow::{FlowKey, FlowRecord};
use leasehold_core::record::{Record, ResumeTrigger};
use leasehold_core::state::{EligibilityState, LifecyclePhase};

/// What nothing but a caller brings closer to its end: held back by an
/// operator, suspended, or behind a dependency that was staged and never
/// applied. Whoever waits for dependencies is let go by the engine alone.
pub async fn help(backend: &dyn Backend) -> Vec<Op> {
    let mut ops = Vec::new();
    for (id, execution) in kept::executions(backend, PARTITIONS).await {
        let vector = execution.vector();
        if vector.lifecycle_phase() == LifecyclePhase::Suspended {
            let args = ResumeExecution { execution_id: id, trigger: ResumeTrigger::Operator, resume_delay_ms: 0 };
            ops.push(Op::Wait(WaitOp::Resume(args)));
        } else if vector.is_runnable() && is_held(vector.eligibility_state()) {
            ops.push(Op::Unblock(id));
        }
    }
    for stored in kept::flows(backend, PARTITIONS).await {
        let flow_id = stored.flow.flow_id;
        for member in &stored.members {
            let id = member.member.execution_id;
            let staged = |slot: &usize| member.member.inbound.slot(*slot as u32) == Some(SlotState::Staged);
            let slots: Vec<usize> = (0..member.inbound.len()).filter(staged).collect();
            if slots.is_empty() || !member.member.inbound.is_waiting() {
                continue;
            }
            if stored.flow.cancelled.is_some() {
                // Its join can never be complete.
                ops.push(Op::CancelExecution(id));
                continue;
            }
            for slot in slots {
                let edge = member.inbound[slot];
                let key = FlowKey::Edge(flow_id, edge.edge_id).into();
                let record = kept::load(backend, stored.flow.partition, &[key]).await.pop().flatten();
                let Some(Record::Flow(FlowRecord::Edge(found))) = record else { continue };
                ops.push(Op::Flow(FlowOp::Apply(Box::new(ApplyDependencyToChild {
                    flow_id,
                    edge_id: edge.edge_id,
                    downstream_execution_id: id,
                    upstream_execution_id: edge.upstream,
                    graph_revision: stored.flow.graph_revision,
                    dependency_kind: SUCCESS_ONLY.to_owned(),
                    data_passing_ref: found.data_passing_ref.clone(),
                }))));
            }
        }
    }
    ops
}

/// Whether somebody outside the engine holds it back.
const fn is_held(eligibility: EligibilityState) -> bool {
    matches!(
        eligibility,
        EligibilityState::BlockedByBudget
            | EligibilityState::BlockedByQuota
            | EligibilityState::BlockedByRoute
            | EligibilityState::BlockedByOperator
            | EligibilityState::BlockedByLaneState
    )
}

/// What has not ended, and why not.
pub async fn left(backend: &dyn Backend) -> Vec<String> {
    let executions = kept::executions(backend, PARTITIONS).await;
    let mut left: Vec<String> = executions
        .iter()
        .filter(|(_, execution)| !execution.vector().is_terminal())
        .map(|(id, execution)| {
            let vector = execution.vector();
            format!("{id} {} {}", vector.public_state(), vector.eligibility_state())
        })
        .collect();
    for stored in kept::flows(backend, PARTITIONS).await {
        left.extend(stored.left.iter().map(|record| format!("{record:?}")));
    }
    left
}

/// Whether everything has ended.
pub async fn is_over(backend: &dyn Backend) -> bool {
    left(backend).await.is_empty()
}
