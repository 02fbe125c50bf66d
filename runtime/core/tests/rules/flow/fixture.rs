//! What tests of flows need besides the world: its records of flows by kind,
//! and operations with their usual arguments.

use crate::fixture::World;
use leasehold_core::command::flow::{
    AddExecutionToFlow, AddOutcome, AdvanceFlow, ApplyDependencyToChild, ApplyOutcome, CancelFlow, CreateFlow,
    SetEdgeGroupPolicy, StageDependencyEdge,
};
use leasehold_core::command::{
    CancelExecution, ClaimExecution, CommandSource, CompleteExecution, FailExecution, FenceTriple,
};
use leasehold_core::decision::Change;
use leasehold_core::flow::{EdgeGroupPolicy, Shape};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::invariant::{check_flow, check_member};
use leasehold_core::record::flow::{CancellationPolicy, Flow, FlowKey, FlowRecord, FlowSummary, Member};
use leasehold_core::record::{Blob, BlobKey, BlobKind, Record, RecordKey};
use leasehold_core::state::{AttemptState, PublicState};
use std::sync::Arc;

/// Where every flow here lives, as every execution of the world does.
pub const PARTITION: u16 = 7;

impl World {
    pub fn flow_record(&self, key: FlowKey) -> Option<&FlowRecord> {
        match self.records.get(&RecordKey::Flow(key)) {
            Some(Record::Flow(record)) => Some(record),
            _ => None,
        }
    }

    /// Every record of a flow.
    pub fn flow_records(&self) -> impl Iterator<Item = &FlowRecord> {
        self.records.values().filter_map(|record| match record {
            Record::Flow(record) => Some(record),
            _ => None,
        })
    }

    /// What the last command changed of flows.
    pub fn flow_changes(&self) -> impl Iterator<Item = &Change> {
        self.last.changes.iter().filter(|change| matches!(change.key, RecordKey::Flow(_)))
    }

    pub fn create_flow(&mut self) -> FlowId {
        let flow_id = FlowId::from_uuid(self.mint());
        let namespace = Namespace::new("tests");
        self.run(CreateFlow { flow_id, partition: PARTITION, flow_kind: "test".into(), namespace }).unwrap();
        flow_id
    }

    /// Creates an execution and makes it a member.
    pub fn member(&mut self, flow_id: FlowId) -> ExecutionId {
        let execution_id = self.create();
        let added = self.run(AddExecutionToFlow { flow_id, partition: PARTITION, execution_id });
        assert!(matches!(added, Ok(AddOutcome::Added { .. })), "{added:?}");
        execution_id
    }

    pub fn members<const N: usize>(&mut self, flow_id: FlowId) -> [ExecutionId; N] {
        std::array::from_fn(|_| self.member(flow_id))
    }

    pub fn stage_args(
        &mut self,
        flow_id: FlowId,
        upstream: ExecutionId,
        downstream: ExecutionId,
    ) -> StageDependencyEdge {
        StageDependencyEdge {
            flow_id,
            edge_id: EdgeId::from_uuid(self.mint()),
            upstream_execution_id: upstream,
            downstream_execution_id: downstream,
            dependency_kind: "success_only".into(),
            data_passing_ref: None,
            expected_graph_revision: self.flow(flow_id).graph_revision,
        }
    }

    /// Stages and applies a dependency.
    pub fn edge(&mut self, flow_id: FlowId, upstream: ExecutionId, downstream: ExecutionId) -> StageDependencyEdge {
        let args = self.stage_args(flow_id, upstream, downstream);
        self.run(args.clone()).unwrap();
        let applied = self.run(apply_args(&args));
        assert!(matches!(applied, Ok(ApplyOutcome::Applied { .. })), "{applied:?}");
        args
    }

    pub fn policy(&mut self, flow_id: FlowId, downstream: ExecutionId, policy: EdgeGroupPolicy) {
        self.run(SetEdgeGroupPolicy { flow_id, downstream_execution_id: downstream, policy: policy.spec() }).unwrap();
    }

    /// Builds a whole graph: all dependencies staged, then all applied.
    pub fn build(&mut self, shape: &Shape) -> (FlowId, Vec<ExecutionId>) {
        let flow_id = self.create_flow();
        let members: Vec<_> = shape.policies.iter().map(|_| self.member(flow_id)).collect();
        for (member, policy) in members.iter().zip(&shape.policies) {
            self.policy(flow_id, *member, *policy);
        }
        let mut staged = Vec::new();
        for edge in &shape.edges {
            let args = self.stage_args(flow_id, members[edge.upstream as usize], members[edge.downstream as usize]);
            self.run(args.clone()).unwrap();
            staged.push(args);
        }
        for args in &staged {
            self.run(apply_args(args)).unwrap();
        }
        (flow_id, members)
    }

    pub fn flow(&self, id: FlowId) -> Arc<Flow> {
        match self.flow_record(FlowKey::Flow(id)) {
            Some(FlowRecord::Flow(flow)) => flow.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn summary(&self, id: FlowId) -> Arc<FlowSummary> {
        match self.flow_record(FlowKey::Summary(id)) {
            Some(FlowRecord::Summary(summary)) => summary.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn member_record(&self, flow: FlowId, id: ExecutionId) -> Arc<Member> {
        match self.flow_record(FlowKey::Member(flow, id.uuid())) {
            Some(FlowRecord::Member(member)) => member.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn state(&self, id: ExecutionId) -> PublicState {
        self.public_state(id)
    }

    pub fn states<const N: usize>(&self, ids: [ExecutionId; N]) -> [PublicState; N] {
        ids.map(|id| self.state(id))
    }

    /// Grants and claims: a fresh attempt, or the interrupted one.
    pub fn lease(&mut self, id: ExecutionId) -> FenceTriple {
        self.run(crate::fixture::grant_args(id)).unwrap();
        let claimed = if self.execution(id).vector().attempt_state() == AttemptState::AttemptInterrupted {
            let args = self.resume_args(id);
            self.run(args)
        } else {
            let args: ClaimExecution = self.claim_args(id);
            self.run(args)
        };
        claimed.unwrap().fence().into()
    }

    pub fn complete_with(&mut self, id: ExecutionId, fence: FenceTriple, result: Option<Blob>) {
        self.run(CompleteExecution {
            execution_id: id,
            fence,
            attempt_index: None,
            result_payload: result,
            result_encoding: None,
            source: CommandSource::LeaseHolder,
        })
        .unwrap();
    }

    /// Claims and completes.
    pub fn complete(&mut self, id: ExecutionId) {
        let fence = self.lease(id);
        self.complete_with(id, fence, None);
    }

    /// Claims and fails for good.
    pub fn fail(&mut self, id: ExecutionId) {
        let fence = self.lease(id);
        let args: FailExecution = crate::situation::fail_args(id, fence);
        self.run(args).unwrap();
        assert_eq!(self.state(id), PublicState::Failed);
    }

    pub fn cancel(&mut self, id: ExecutionId) {
        let (reason, source, fence) = ("by hand".to_owned(), CommandSource::OperatorOverride, FenceTriple::NONE);
        self.run(CancelExecution { execution_id: id, reason, source, fence }).unwrap();
    }

    pub fn payload(&self, id: ExecutionId) -> Option<Blob> {
        self.blobs.get(&BlobKey { execution: id.uuid(), kind: BlobKind::Payload }).cloned()
    }

    /// One turn of what is left; whether there is more.
    pub fn advance(&mut self, flow_id: FlowId) -> bool {
        self.run(AdvanceFlow { flow_id }).unwrap().more
    }

    /// All turns of what is left; how many there were.
    pub fn advance_all(&mut self, flow_id: FlowId) -> usize {
        let mut turns = 0;
        while self.summary(flow_id).work_left || self.summary(flow_id).cancels_pending {
            turns += 1;
            let more = self.advance(flow_id);
            assert!(!self.last.is_empty(), "every turn gets further");
            if !more {
                break;
            }
        }
        turns
    }

    /// Every member of a flow, in the order of joining.
    pub fn all_members(&self, flow_id: FlowId) -> Vec<Arc<Member>> {
        let mut members: Vec<Arc<Member>> = self
            .flow_records()
            .filter_map(|record| match record {
                FlowRecord::Member(member) if member.flow_id == flow_id => Some(member.clone()),
                _ => None,
            })
            .collect();
        members.sort_by_key(|member| member.ordinal);
        members
    }

    /// Checks the flow as a whole.
    #[track_caller]
    pub fn check(&self, flow_id: FlowId) {
        let members = self.all_members(flow_id);
        check_flow(&self.flow(flow_id), &self.summary(flow_id), members.iter().map(|member| &**member)).unwrap();
        let mut counted = leasehold_core::flow::StateCounts::default();
        let at_rest = self.flow(flow_id).sealed && !self.summary(flow_id).work_left;
        for member in &members {
            check_member(member, &self.execution(member.execution_id), at_rest).unwrap();
            counted.moved(None, Some(self.state(member.execution_id)));
        }
        assert_eq!(counted, self.summary(flow_id).counts, "the counts are those of the members");
        let has = |key| self.flow_record(key).is_some();
        assert_eq!(self.summary(flow_id).work_left, has(FlowKey::Continuation(flow_id)));
        assert_eq!(self.summary(flow_id).cancels_pending, has(FlowKey::PendingCancels(flow_id)));
    }
}

/// The apply that belongs to a stage.
pub fn apply_args(staged: &StageDependencyEdge) -> ApplyDependencyToChild {
    ApplyDependencyToChild {
        flow_id: staged.flow_id,
        edge_id: staged.edge_id,
        downstream_execution_id: staged.downstream_execution_id,
        upstream_execution_id: staged.upstream_execution_id,
        graph_revision: staged.expected_graph_revision + 1,
        dependency_kind: staged.dependency_kind.clone(),
        data_passing_ref: staged.data_passing_ref.clone(),
    }
}

/// A graph whose joins all have the same policy.
pub fn shape(policies: Vec<EdgeGroupPolicy>, edges: &[(u32, u32)]) -> Shape {
    let edges = edges
        .iter()
        .map(|(upstream, downstream)| leasehold_core::flow::ShapeEdge { upstream: *upstream, downstream: *downstream });
    Shape { policies, edges: edges.collect() }
}

/// A cancellation of a flow.
pub fn cancel_flow(flow_id: FlowId, cancellation_policy: CancellationPolicy) -> CancelFlow {
    CancelFlow { flow_id, reason: "no longer wanted".into(), cancellation_policy }
}
