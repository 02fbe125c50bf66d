//! Flows: one command per operation, each a pure decision, and the one door
//! through which steps of members and steps of flows go.
//!
//! [`decide_step`] makes a step whole: whatever ends a member, by whichever
//! command, resolves what waits for it in the same change set, and whatever
//! moves a member moves the counts of its flow.

mod add_execution_to_flow;
mod apply_dependency_to_child;
mod cancel_flow;
mod cascade;
mod create_flow;
mod eligibility;
mod member_step;
mod parking;
mod resolve_dependency;
mod set_edge_group_policy;
mod set_flow_tag;
mod sibling_cancel;
mod stage_dependency_edge;
mod view;

pub use add_execution_to_flow::{AddExecutionToFlow, AddOutcome};
pub use apply_dependency_to_child::{ApplyDependencyToChild, ApplyOutcome};
pub use cancel_flow::{
    ALREADY_TERMINAL_MEMBER_CAP, AckCancelMember, CANCEL_GRACE_MS, CANCEL_WAIT_MS_MAX, CancelFlow, CancelFlowHeader,
    CancelFlowOutcome, CancelHeaderOutcome, CancelWait, CancelWaited, GRACE_MS_MAX, cancel_flow_outcome,
};
pub use cascade::Limits;
pub use create_flow::{CreateFlow, CreateFlowOutcome};
pub use eligibility::{EvaluateFlowEligibility, FlowEligibility, ProjectFlowSummary};
pub use resolve_dependency::{AdvanceFlow, Advanced, CascadeCompletion, CascadeOutcome, ResolveDependency};
pub use set_edge_group_policy::{SetEdgeGroupPolicy, SetPolicyOutcome};
pub use set_flow_tag::{FlowTagSet, SetFlowTag};
pub use sibling_cancel::{DrainOutcome, DrainSiblingCancelGroup, ReconcileOutcome, ReconcileSiblingCancelGroup};
pub use stage_dependency_edge::{StageDependencyEdge, Staged};
pub use view::{FlowChange, FlowSet, FlowSource, FlowView, Halt, Need};

use super::{Command, Reply};
use crate::decision::Context;
use crate::error::EngineError;
use crate::flow::Resolution;
use crate::ids::FlowId;
use crate::record::RecordKey;
use crate::record::flow::FlowKey;

/// What a step of a flow may use besides records.
#[derive(Clone, Copy, Debug)]
pub struct On<'c> {
    /// Time and chance.
    pub context: &'c Context,
    /// How large the change set may become.
    pub limits: Limits,
}

/// An operation on a flow, with the answer it gives.
pub trait FlowOperation: Sized + Send + 'static {
    /// The answer.
    type Outcome: Send + 'static;
    /// The one name of the operation.
    const NAME: &'static str;

    /// As one of all commands.
    fn into_command(self) -> FlowCommand;
    /// Reads the answer back out of a reply.
    ///
    /// # Errors
    ///
    /// Gives the reply back when it belongs to another operation.
    fn outcome(reply: FlowReply) -> Result<Self::Outcome, FlowReply>;
}

/// How an operation on a flow is decided. Private to the core: the outside
/// calls [`decide_step`].
pub(crate) trait DecideFlow: FlowOperation {
    /// The flow it is about.
    fn flow_id(&self) -> FlowId;
    /// The rule.
    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<Self::Outcome, Halt>;
}

macro_rules! flow_commands {
    ($($name:ident => $outcome:ty, $wire:literal;)+) => {
        /// Every operation on one flow, with its arguments.
        #[derive(Clone, Debug)]
        pub enum FlowCommand {
            $(#[doc = concat!("`", $wire, "`.")] $name(Box<$name>),)+
        }

        /// The answers, one kind per operation.
        #[derive(Clone, Debug, PartialEq)]
        pub enum FlowReply {
            $(#[doc = concat!("Of `", $wire, "`.")] $name($outcome),)+
        }

        impl FlowCommand {
            /// The names of all operations.
            pub const NAMES: &'static [&'static str] = &[$($wire),+];

            /// The operation's name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $wire),+ }
            }

            /// The flow it is about.
            pub fn flow_id(&self) -> FlowId {
                match self { $(Self::$name(args) => args.flow_id()),+ }
            }

            fn rule(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<FlowReply, Halt> {
                match self { $(Self::$name(args) => args.decide(view, on).map(FlowReply::$name)),+ }
            }
        }

        $(impl FlowOperation for $name {
            type Outcome = $outcome;
            const NAME: &'static str = $wire;

            fn into_command(self) -> FlowCommand {
                FlowCommand::$name(Box::new(self))
            }

            fn outcome(reply: FlowReply) -> Result<Self::Outcome, FlowReply> {
                match reply {
                    FlowReply::$name(outcome) => Ok(outcome),
                    other => Err(other),
                }
            }
        })+
    };
}

flow_commands! {
    CreateFlow => CreateFlowOutcome, "create_flow";
    AddExecutionToFlow => AddOutcome, "add_execution_to_flow";
    StageDependencyEdge => Staged, "stage_dependency_edge";
    ApplyDependencyToChild => ApplyOutcome, "apply_dependency_to_child";
    SetEdgeGroupPolicy => SetPolicyOutcome, "set_edge_group_policy";
    ResolveDependency => Resolution, "resolve_dependency";
    CascadeCompletion => CascadeOutcome, "cascade_completion";
    EvaluateFlowEligibility => FlowEligibility, "evaluate_flow_eligibility";
    CancelFlow => CancelHeaderOutcome, "cancel_flow";
    CancelFlowHeader => CancelHeaderOutcome, "cancel_flow_header";
    AckCancelMember => (), "ack_cancel_member";
    DrainSiblingCancelGroup => DrainOutcome, "drain_sibling_cancel_group";
    ReconcileSiblingCancelGroup => ReconcileOutcome, "reconcile_sibling_cancel_group";
    ProjectFlowSummary => bool, "project_flow_summary";
    SetFlowTag => FlowTagSet, "set_flow_tag";
    AdvanceFlow => Advanced, "advance_flow";
}

/// One step: an operation on an execution, which may be a member of a flow,
/// or an operation on a flow.
#[derive(Clone, Debug)]
pub enum Act {
    /// On an execution.
    Execution(Command),
    /// On a flow.
    Flow(FlowCommand),
}

/// The answer to an [`Act`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Of an operation on an execution.
    Execution(Reply),
    /// Of an operation on a flow.
    Flow(FlowReply),
}

/// What a step came to.
#[derive(Clone, Debug)]
pub enum Step {
    /// It is decided.
    Decided(Box<FlowDecision>),
    /// These must be loaded, then it is decided anew.
    Needs(Vec<Need>),
}

/// A decided step.
#[derive(Clone, Debug)]
pub struct FlowDecision {
    /// What to write.
    pub set: FlowSet,
    /// What to say once it is written.
    pub outcome: Result<Answer, EngineError>,
    /// The records of executions the answer rests on.
    pub touched: Vec<RecordKey>,
    /// The records of flows the answer rests on.
    pub touched_flows: Vec<FlowKey>,
}

/// Decides a step over the records in `source`.
///
/// A refusal discards what the step staged, unless its rule keeps it.
pub fn decide_step(act: &Act, source: &dyn FlowSource, context: &Context, limits: Limits) -> Step {
    let mut view = FlowView::new(source);
    let on = On { context, limits };
    let result = match act {
        Act::Execution(command) => member_step::decide(command, &mut view, &on).map(Answer::Execution),
        Act::Flow(command) => command.rule(&mut view, &on).map(Answer::Flow),
    };
    let kept = match &result {
        Ok(_) => true,
        Err(Halt::Refused(rejection)) => rejection.keeps_changes,
        Err(Halt::Needs(_)) => false,
    };
    let counted = if kept { member_step::count(&mut view, context) } else { Ok(()) };
    // What goes wrong while counting outweighs what was decided.
    let outcome = match counted.and(result) {
        Ok(answer) => Ok(answer),
        Err(Halt::Needs(needs)) => return Step::Needs(needs),
        Err(Halt::Refused(rejection)) if rejection.keeps_changes => Err(rejection.error),
        Err(Halt::Refused(rejection)) => return refused(view, rejection.error),
    };
    let (set, touched, touched_flows) = view.finish();
    Step::Decided(Box::new(FlowDecision { set, outcome, touched, touched_flows }))
}

fn refused(view: FlowView<'_>, error: EngineError) -> Step {
    let (_, touched, touched_flows) = view.finish();
    Step::Decided(Box::new(FlowDecision { set: FlowSet::default(), outcome: Err(error), touched, touched_flows }))
}
