//! A store in memory that decides one step at a time with nothing loaded but
//! what the step asked for, and checks after each what holds of every flow.

use crate::fixture::World;
use leasehold_core::command::flow::{
    Act, AddExecutionToFlow, AddOutcome, AdvanceFlow, Answer, ApplyDependencyToChild, ApplyOutcome, CancelFlow,
    CreateFlow, FlowDecision, FlowOperation, FlowSet, FlowSource, Limits, Need, SetEdgeGroupPolicy,
    StageDependencyEdge, Step, decide_step,
};
use leasehold_core::command::{
    CancelExecution, ClaimExecution, CommandSource, CompleteExecution, FailExecution, FenceTriple, Operation,
};
use leasehold_core::decision::Context;
use leasehold_core::error::EngineError;
use leasehold_core::flow::{EdgeGroupPolicy, Shape};
use leasehold_core::ids::{EdgeId, ExecutionId, FlowId, Namespace};
use leasehold_core::invariant::{check_changes, check_flow, check_flow_changes, check_member};
use leasehold_core::record::flow::{CancellationPolicy, Flow, FlowKey, FlowRecord, FlowSummary, Member};
use leasehold_core::record::{Blob, BlobKey, BlobKind, Record, RecordKey};
use leasehold_core::state::{AttemptState, PublicState};
use leasehold_core::view::Source;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Where every flow here lives, as every execution of the other fixture does.
pub const PARTITION: u16 = 7;

/// Executions, flows, and what the step at hand has loaded.
#[derive(Clone)]
pub struct FlowWorld {
    pub world: World,
    pub flows: HashMap<FlowKey, FlowRecord>,
    pub limits: Limits,
    /// What the last step wrote.
    pub last: FlowSet,
    /// How often the last step came back for more.
    pub rounds: usize,
    /// The most rows any step wrote.
    pub largest: usize,
    /// Whether everything counts as loaded, for tests that are about size.
    pub hot: bool,
    loaded: RefCell<HashSet<Need>>,
}

impl Source for FlowWorld {
    fn record(&self, key: &RecordKey) -> Option<Record> {
        self.world.records.get(key).cloned()
    }
}

impl FlowSource for FlowWorld {
    fn is_loaded(&self, need: &Need) -> bool {
        self.hot || self.loaded.borrow().contains(need)
    }

    fn flow_record(&self, key: &FlowKey) -> Option<FlowRecord> {
        self.flows.get(key).filter(|_| self.is_loaded(&Need::Flow(*key))).cloned()
    }

    fn blob(&self, key: &BlobKey) -> Option<Blob> {
        assert!(self.is_loaded(&Need::Blob(*key)), "{key:?} is read before it is loaded");
        self.world.blobs.get(key).cloned()
    }
}

impl FlowWorld {
    pub fn new() -> Self {
        Self {
            world: World::new(),
            flows: HashMap::new(),
            limits: Limits::DEFAULT,
            last: FlowSet::default(),
            rounds: 0,
            largest: 0,
            hot: false,
            loaded: RefCell::default(),
        }
    }

    /// Decides a step from nothing loaded, and checks what holds of it.
    pub fn decide(&mut self, act: &Act) -> FlowDecision {
        let context = Context { now: self.world.now, random: 0.5, promised_until: None };
        self.loaded.borrow_mut().clear();
        self.rounds = 0;
        let decision = loop {
            match decide_step(act, self, &context, self.limits) {
                Step::Decided(decision) => break *decision,
                Step::Needs(needs) => {
                    self.rounds += 1;
                    let fresh = needs.iter().filter(|need| self.loaded.borrow_mut().insert((*need).clone())).count();
                    assert_eq!(fresh, needs.len(), "a step asks only for what it does not have");
                    assert!(fresh > 0, "a step that asks, asks for something");
                }
            }
        };
        if let Err(violation) = check_changes(&decision.set.changes) {
            panic!("{violation}\nafter {act:?}\nwriting {:#?}", decision.set);
        }
        if let Err(violation) = check_flow_changes(&decision.set) {
            panic!("{violation}\nafter {act:?}");
        }
        for change in &decision.set.changes.changes {
            assert_eq!(
                change.old,
                self.world.records.get(&change.key).cloned(),
                "the version before is the current one"
            );
        }
        for change in &decision.set.flows {
            assert_eq!(change.old, self.flows.get(&change.key).cloned(), "the version before is the current one");
        }
        decision
    }

    /// Decides and applies.
    pub fn act(&mut self, act: &Act) -> Result<Answer, EngineError> {
        let decision = self.decide(act);
        self.largest = self.largest.max(decision.set.rows());
        self.world.apply(&decision.set.changes);
        for change in &decision.set.flows {
            match &change.new {
                Some(record) => self.flows.insert(change.key, record.clone()),
                None => self.flows.remove(&change.key),
            };
        }
        self.last = decision.set;
        decision.outcome
    }

    /// An operation on a flow.
    pub fn run<O: FlowOperation>(&mut self, operation: O) -> Result<O::Outcome, EngineError> {
        let answer = self.act(&Act::Flow(operation.into_command()))?;
        let Answer::Flow(reply) = answer else { panic!("{} answered {answer:?}", O::NAME) };
        match O::outcome(reply) {
            Ok(outcome) => Ok(outcome),
            Err(other) => panic!("{} answered {other:?}", O::NAME),
        }
    }

    /// An operation on an execution.
    pub fn execute<O: Operation>(&mut self, operation: O) -> Result<O::Outcome, EngineError> {
        let answer = self.act(&Act::Execution(operation.into_command()))?;
        let Answer::Execution(reply) = answer else { panic!("{} answered {answer:?}", O::NAME) };
        match O::outcome(reply) {
            Ok(outcome) => Ok(outcome),
            Err(other) => panic!("{} answered {other:?}", O::NAME),
        }
    }

    pub fn create_flow(&mut self) -> FlowId {
        let flow_id = FlowId::from_uuid(self.world.mint());
        let namespace = Namespace::new("tests");
        self.run(CreateFlow { flow_id, partition: PARTITION, flow_kind: "test".into(), namespace }).unwrap();
        flow_id
    }

    /// Creates an execution and makes it a member.
    pub fn member(&mut self, flow_id: FlowId) -> ExecutionId {
        let execution_id = self.world.create();
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
            edge_id: EdgeId::from_uuid(self.world.mint()),
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
        match self.flows.get(&FlowKey::Flow(id)) {
            Some(FlowRecord::Flow(flow)) => flow.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn summary(&self, id: FlowId) -> Arc<FlowSummary> {
        match self.flows.get(&FlowKey::Summary(id)) {
            Some(FlowRecord::Summary(summary)) => summary.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn member_record(&self, flow: FlowId, id: ExecutionId) -> Arc<Member> {
        match self.flows.get(&FlowKey::Member(flow, id.uuid())) {
            Some(FlowRecord::Member(member)) => member.clone(),
            other => panic!("{id} is {other:?}"),
        }
    }

    pub fn state(&self, id: ExecutionId) -> PublicState {
        self.world.public_state(id)
    }

    pub fn states<const N: usize>(&self, ids: [ExecutionId; N]) -> [PublicState; N] {
        ids.map(|id| self.state(id))
    }

    /// Grants and claims: a fresh attempt, or the interrupted one.
    pub fn claim(&mut self, id: ExecutionId) -> FenceTriple {
        self.execute(crate::fixture::grant_args(id)).unwrap();
        let claimed = if self.world.execution(id).vector().attempt_state() == AttemptState::AttemptInterrupted {
            let args = self.world.resume_args(id);
            self.execute(args)
        } else {
            let args: ClaimExecution = self.world.claim_args(id);
            self.execute(args)
        };
        claimed.unwrap().fence().into()
    }

    pub fn complete_with(&mut self, id: ExecutionId, fence: FenceTriple, result: Option<Blob>) {
        self.execute(CompleteExecution {
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
        let fence = self.claim(id);
        self.complete_with(id, fence, None);
    }

    /// Claims and fails for good.
    pub fn fail(&mut self, id: ExecutionId) {
        let fence = self.claim(id);
        let args: FailExecution = crate::situation::fail_args(id, fence);
        self.execute(args).unwrap();
        assert_eq!(self.state(id), PublicState::Failed);
    }

    pub fn cancel(&mut self, id: ExecutionId) {
        let (reason, source, fence) = ("by hand".to_owned(), CommandSource::OperatorOverride, FenceTriple::NONE);
        self.execute(CancelExecution { execution_id: id, reason, source, fence }).unwrap();
    }

    pub fn payload(&self, id: ExecutionId) -> Option<Blob> {
        self.world.blobs.get(&BlobKey { execution: id.uuid(), kind: BlobKind::Payload }).cloned()
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
            .flows
            .values()
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
        for member in &members {
            check_member(member, &self.world.execution(member.execution_id)).unwrap();
            counted.moved(None, Some(self.state(member.execution_id)));
        }
        assert_eq!(counted, self.summary(flow_id).counts, "the counts are those of the members");
        let has = |key| self.flows.contains_key(&key);
        assert_eq!(self.summary(flow_id).work_left, has(FlowKey::Continuation(flow_id)));
        assert_eq!(self.summary(flow_id).cancels_pending, has(FlowKey::PendingCancels(flow_id)));
    }

    /// What the last step told, fact by fact.
    pub fn told(&self) -> Vec<String> {
        self.world.told()
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
