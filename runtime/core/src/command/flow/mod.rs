//! Flows: one command per operation, each a pure decision, and what a step of
//! a member does to its flow.
//!
//! Whatever ends a member, by whichever command, resolves what waits for it in
//! the same change set, and whatever moves a member moves the counts of its
//! flow.

mod add_execution_to_flow;
mod apply_dependency_to_child;
mod build_flow;
mod cancel_flow;
mod cascade;
mod create_flow;
mod eligibility;
pub(super) mod member_step;
mod parking;
mod resolve_dependency;
mod set_edge_group_policy;
mod set_flow_tag;
mod sibling_cancel;
mod stage_dependency_edge;
mod view;

pub use add_execution_to_flow::{AddExecutionToFlow, AddOutcome};
pub use apply_dependency_to_child::{ApplyDependencyToChild, ApplyOutcome};
pub use build_flow::{BuildFlow, BuildOutcome, NewEdge, NewNode, UNSEALED_MS_MAX};
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
pub use view::{FlowView, Halt};

use super::{Command, Operation, Reply};
use crate::decision::Context;
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

/// How an operation on a flow is decided. Private to the core: the outside
/// calls [`decide`](super::decide).
pub(crate) trait DecideFlow: Operation {
    /// The flow it is about.
    fn flow_id(&self) -> FlowId;
    /// Records it names besides those of the flow.
    fn further_keys(&self) -> Vec<RecordKey> {
        Vec::new()
    }
    /// Under what nothing is stored if its ids were minted for it.
    fn minted(&self) -> Vec<RecordKey> {
        Vec::new()
    }
    /// The rule.
    fn decide(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<Self::Outcome, Halt>;
}

/// The records every flow has from its first moment.
fn header(flow_id: FlowId) -> [RecordKey; 2] {
    [FlowKey::Flow(flow_id).into(), FlowKey::Summary(flow_id).into()]
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

            /// The records it begins with.
            pub(super) fn keys(&self) -> Vec<RecordKey> {
                let mut keys = match self { $(Self::$name(args) => args.further_keys()),+ };
                keys.extend(header(self.flow_id()));
                keys
            }

            /// The records it makes under ids of its own.
            pub(super) fn minted(&self) -> Vec<RecordKey> {
                match self { $(Self::$name(args) => args.minted()),+ }
            }

            /// Whether it adds to the graph.
            pub(super) const fn grows(&self) -> bool {
                matches!(
                    self,
                    Self::CreateFlow(_)
                        | Self::AddExecutionToFlow(_)
                        | Self::StageDependencyEdge(_)
                        | Self::ApplyDependencyToChild(_)
                        | Self::BuildFlow(_)
                )
            }

            pub(super) fn rule(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<FlowReply, Halt> {
                match self { $(Self::$name(args) => args.decide(view, on).map(FlowReply::$name)),+ }
            }
        }

        $(impl Operation for $name {
            type Outcome = $outcome;
            const NAME: &'static str = $wire;

            fn into_command(self) -> Command {
                Command::Flow(FlowCommand::$name(Box::new(self)))
            }

            fn outcome(reply: Reply) -> Result<Self::Outcome, Reply> {
                match reply {
                    Reply::Flow(FlowReply::$name(outcome)) => Ok(outcome),
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
    BuildFlow => BuildOutcome, "build_flow";
}
