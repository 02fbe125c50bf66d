//! Commands: one per operation, each a pure decision over the records it
//! names.
//!
//! [`decide`] is the only door. A command reads and stages through a
//! [`View`], may refuse with a [`Rejection`], and never awaits, reads a clock
//! or draws a number.

mod admit;
mod block_execution;
mod cancel_execution;
mod change_priority;
mod claim;
mod claim_execution;
mod claim_resumed_execution;
mod close_waitpoint;
mod complete_execution;
mod create_execution;
mod create_waitpoint;
mod delay;
mod deliver_approval_signal;
mod deliver_signal;
mod expire_execution;
mod expire_suspension;
mod fail_execution;
mod fencing;
pub mod flow;
mod grants;
mod issue_claim_grant;
mod issue_grant_and_claim;
mod issue_reclaim_grant;
mod keyring;
mod leasing;
mod mark_lease_expired;
mod progress;
mod promote_delayed;
mod reclaim_execution;
mod renew_lease;
mod replay_execution;
mod resume_execution;
mod revoke_lease;
mod set_execution_tag;
mod settle;
mod store_renewal;
mod suspend;
pub(crate) mod text;
mod wait_children;
mod waiting;

pub use admit::{Admit, AdmitOutcome};
pub use block_execution::{AdmissionBlock, BlockExecution, BlockOutcome, UnblockExecution, Unblocked};
pub use cancel_execution::{CancelExecution, Cancelled};
pub use change_priority::{ChangePriority, Changed};
pub use claim::{Claim, ClaimOutcome, Skip};
pub use claim_execution::ClaimExecution;
pub use claim_resumed_execution::ClaimResumedExecution;
pub use close_waitpoint::{CloseWaitpoint, CloseWaitpointOutcome, GiveUp};
pub use complete_execution::{CompleteExecution, Completed};
pub use create_execution::{CreateExecution, CreateOutcome, PAYLOAD_BYTES_MAX, PRIORITY_MAX};
pub use create_waitpoint::{CreateWaitpoint, PendingWaitpoint};
pub use delay::{Delay, Delayed};
pub use deliver_approval_signal::DeliverApprovalSignal;
pub use deliver_signal::{
    DEFAULT_MAX_SIGNALS_PER_EXECUTION, DEFAULT_SIGNAL_DEDUP_TTL_MS, DEFAULT_SIGNAL_ENCODING, DeliverSignal,
    SIGNAL_PAYLOAD_BYTES_MAX, SignalOutcome,
};
pub use expire_execution::{ExpireExecution, ExpireOutcome, ExpirePhase};
pub use expire_suspension::{ExpireSuspension, ExpireSuspensionOutcome};
pub use fail_execution::{FailExecution, FailOutcome};
pub use fencing::{FenceTriple, Source as CommandSource};
pub use issue_claim_grant::{GrantIssued, IssueClaimGrant};
pub use issue_grant_and_claim::{IssueGrantAndClaim, OPERATOR_IDENTITY};
pub use issue_reclaim_grant::{IssueReclaimGrant, IssueReclaimOutcome};
pub use keyring::{KeyringCommand, KeyringReply, RotateWaitpointHmacSecret, SeedWaitpointHmacSecret};
pub use leasing::ClaimedExecution;
pub use mark_lease_expired::{MarkExpiredOutcome, MarkLeaseExpired};
pub use progress::{ProgressUpdated, UpdateProgress};
pub use promote_delayed::{PromoteDelayed, PromoteOutcome};
pub use reclaim_execution::{MAX_RECLAIMS_EXCEEDED, ReclaimExecution, ReclaimOutcome};
pub use renew_lease::{RenewLease, Renewed};
pub use replay_execution::{ReplayExecution, Replayed};
pub use resume_execution::{ResumeExecution, Resumed};
pub use revoke_lease::{RevokeLease, RevokeOutcome};
pub use set_execution_tag::{SetExecutionTag, TagSet};
pub use settle::{Settle, SettleOutcome};
pub use store_renewal::{RenewalStored, StoreRenewal};
pub use suspend::Suspend;
pub use text::{DOCUMENT_BYTES_MAX, KIND_BYTES_MAX, REASON_BYTES_MAX};
pub use wait_children::WaitChildren;
pub use waiting::{BUFFERED_SIGNALS_MAX, OPEN_WAITPOINTS_MAX};

use crate::decision::{ChangeSet, Context, Decision, Rejection};
use crate::error::EngineError;
use crate::ids::{ExecutionId, FlowId};
use crate::partition::PartitionConfig;
use crate::record::{RecordKey, SuspendOutcome, WaitKey};
use crate::view::{Need, Source, View};
use flow::{FlowCommand, FlowReply, FlowView, Halt, Limits, On, member_step};

/// An operation's arguments, with the answer it gives.
pub trait Operation: Sized + Send + 'static {
    /// The answer.
    type Outcome: Send + 'static;
    /// The one name of the operation.
    const NAME: &'static str;

    /// As one of all commands.
    fn into_command(self) -> Command;
    /// Reads the answer back out of a reply.
    ///
    /// # Errors
    ///
    /// Gives the reply back when it belongs to another operation.
    fn outcome(reply: Reply) -> Result<Self::Outcome, Reply>;
}

/// How an operation is decided. Private to the core: the outside calls
/// [`decide`].
pub(crate) trait Decide: Operation {
    /// The execution it is about.
    fn execution_id(&self) -> ExecutionId;
    /// Records it names besides that execution.
    fn further_keys(&self) -> Vec<RecordKey> {
        Vec::new()
    }
    /// Records of suspension it names.
    fn wait_keys(&self) -> Vec<WaitKey> {
        Vec::new()
    }
    /// Under what nothing is stored if its ids were minted for it.
    fn minted(&self) -> Vec<RecordKey> {
        Vec::new()
    }
    /// The rule.
    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Self::Outcome, Rejection>;
}

macro_rules! commands {
    ($($name:ident => $outcome:ty, $wire:literal;)+) => {
        /// Every operation, with its arguments.
        #[derive(Clone, Debug)]
        pub enum Command {
            $(#[doc = concat!("`", $wire, "`.")] $name(Box<$name>),)+
            /// On a flow.
            Flow(FlowCommand),
            /// On the key ring of a partition.
            Keyring(KeyringCommand),
        }

        /// The answers, one kind per operation.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Reply {
            $(#[doc = concat!("Of `", $wire, "`.")] $name($outcome),)+
            /// Of an operation on a flow.
            Flow(FlowReply),
            /// Of an operation on a key ring.
            Keyring(KeyringReply),
        }

        impl Command {
            /// The names of all operations on executions.
            pub const NAMES: &'static [&'static str] = &[$($wire),+];

            /// The operation's name.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $wire,)+
                    Self::Flow(command) => command.name(),
                    Self::Keyring(command) => command.name(),
                }
            }

            /// What it is about.
            pub fn subject(&self) -> Subject {
                match self {
                    $(Self::$name(args) => Subject::Execution(args.execution_id()),)+
                    Self::Flow(command) => Subject::Flow(command.flow_id()),
                    Self::Keyring(command) => Subject::Partition(command.partition()),
                }
            }

            /// The records it names. While it is decided it may turn out to
            /// need more.
            pub fn keys(&self) -> Vec<RecordKey> {
                let (execution_id, further, waits) = match self {
                    $(Self::$name(args) => (args.execution_id(), args.further_keys(), args.wait_keys()),)+
                    Self::Flow(command) => return command.keys(),
                    Self::Keyring(_) => return vec![WaitKey::Keyring.into()],
                };
                let mut keys = further;
                keys.push(RecordKey::Execution(execution_id.uuid()));
                keys.extend(waits.into_iter().map(RecordKey::Wait));
                keys
            }

            /// The records it makes under ids of its own. Where these were
            /// minted for it, none of them can exist.
            pub fn minted(&self) -> Vec<RecordKey> {
                match self {
                    $(Self::$name(args) => args.minted(),)+
                    Self::Flow(command) => command.minted(),
                    Self::Keyring(_) => Vec::new(),
                }
            }

            fn rule(&self, view: &mut FlowView<'_>, on: &On<'_>) -> Result<Reply, Halt> {
                match self {
                    $(Self::$name(args) => member_step::decide(args.execution_id(), view, on, |view| {
                        args.decide(view, on.context).map(Reply::$name)
                    }),)+
                    Self::Flow(command) => command.rule(view, on).map(Reply::Flow),
                    Self::Keyring(command) => Ok(Reply::Keyring(command.decide(&mut view.view, on.context)?)),
                }
            }
        }

        $(impl Operation for $name {
            type Outcome = $outcome;
            const NAME: &'static str = $wire;

            fn into_command(self) -> Command {
                Command::$name(Box::new(self))
            }

            fn outcome(reply: Reply) -> Result<Self::Outcome, Reply> {
                match reply {
                    Reply::$name(outcome) => Ok(outcome),
                    other => Err(other),
                }
            }
        })+
    };
}

commands! {
    CreateExecution => CreateOutcome, "create_execution";
    IssueClaimGrant => GrantIssued, "issue_claim_grant";
    ClaimExecution => ClaimedExecution, "claim_execution";
    ClaimResumedExecution => ClaimedExecution, "claim_resumed_execution";
    Claim => ClaimOutcome, "claim";
    IssueGrantAndClaim => ClaimedExecution, "issue_grant_and_claim";
    RenewLease => Renewed, "renew_lease";
    UpdateProgress => ProgressUpdated, "progress";
    CompleteExecution => Completed, "complete_execution";
    FailExecution => FailOutcome, "fail_execution";
    CancelExecution => Cancelled, "cancel_execution";
    Delay => Delayed, "delay";
    WaitChildren => Delayed, "wait_children";
    RevokeLease => RevokeOutcome, "revoke_lease";
    MarkLeaseExpired => MarkExpiredOutcome, "mark_lease_expired_if_due";
    IssueReclaimGrant => IssueReclaimOutcome, "issue_reclaim_grant";
    ReclaimExecution => ReclaimOutcome, "reclaim_execution";
    BlockExecution => BlockOutcome, "block_execution_for_admission";
    UnblockExecution => Unblocked, "unblock_execution";
    ExpireExecution => ExpireOutcome, "expire_execution";
    PromoteDelayed => PromoteOutcome, "promote_delayed";
    ChangePriority => Changed, "change_priority";
    ReplayExecution => Replayed, "replay_execution";
    SetExecutionTag => TagSet, "set_execution_tag";
    Settle => SettleOutcome, "settle";
    StoreRenewal => RenewalStored, "store_renewal";
    Admit => AdmitOutcome, "admit";
    CreateWaitpoint => PendingWaitpoint, "create_waitpoint";
    Suspend => Box<SuspendOutcome>, "suspend";
    DeliverSignal => SignalOutcome, "deliver_signal";
    DeliverApprovalSignal => SignalOutcome, "deliver_approval_signal";
    ResumeExecution => Resumed, "resume_execution";
    CloseWaitpoint => CloseWaitpointOutcome, "close_waitpoint";
    ExpireSuspension => ExpireSuspensionOutcome, "expire_suspension";
}

/// What an operation is about, which says where it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An execution, in its partition.
    Execution(ExecutionId),
    /// A flow, in the partition that its id belongs to.
    Flow(FlowId),
    /// A partition.
    Partition(u16),
}

impl Subject {
    /// The partition in which it is decided.
    pub fn partition(&self, config: &PartitionConfig) -> u16 {
        match self {
            Self::Execution(id) => id.partition(),
            Self::Flow(id) => config.of_flow(*id),
            Self::Partition(partition) => *partition,
        }
    }
}

impl Command {
    /// Whether it adds work, which a full store refuses while what runs may
    /// end.
    pub const fn grows(&self) -> bool {
        match self {
            Self::CreateExecution(_) | Self::Admit(_) => true,
            Self::Flow(command) => command.grows(),
            _ => false,
        }
    }

    /// Whether it mints tokens, for which its partition needs a key.
    pub const fn mints(&self) -> bool {
        matches!(self, Self::CreateWaitpoint(_) | Self::Suspend(_))
    }
}

/// What came of deciding a command.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are decisions, and one is made per command")]
pub enum Verdict {
    /// These must be in memory, then it is decided anew.
    Needs(Vec<Need>),
    /// It is decided.
    Decided(Decision),
}

impl Verdict {
    /// The decision, if it is one.
    pub fn decided(self) -> Option<Decision> {
        match self {
            Self::Decided(decision) => Some(decision),
            Self::Needs(_) => None,
        }
    }
}

/// Decides a command over the records in `source`.
///
/// A refusal discards what the command staged, unless its rule keeps it. What
/// the command changes takes along what rests on it: an execution that ends
/// closes what it waits for and resolves what waits for it, and one that moves
/// moves the counts of its flow.
pub fn decide(command: &Command, source: &dyn Source, context: &Context) -> Verdict {
    decide_within(command, source, context, Limits::DEFAULT)
}

/// [`decide`], with change sets of another size.
pub fn decide_within(command: &Command, source: &dyn Source, context: &Context, limits: Limits) -> Verdict {
    let mut view = FlowView::new(source);
    let result = command.rule(&mut view, &On { context, limits });
    let kept = match &result {
        Ok(_) => true,
        Err(Halt::Refused(rejection)) => rejection.keeps_changes,
        Err(Halt::Missing) => false,
    };
    let followed = if kept { follow(&mut view, context) } else { Ok(()) };
    let (changes, touched) = match view.view.finish() {
        Ok(staged) => staged,
        Err(needs) => return Verdict::Needs(needs),
    };
    // What goes wrong while following outweighs what was decided.
    let (outcome, kept) = match followed.and(result) {
        Ok(reply) => (Ok(reply), true),
        Err(Halt::Refused(rejection)) => (Err(rejection.error), rejection.keeps_changes),
        Err(Halt::Missing) => (Err(EngineError::corruption("view", "missing", command.name())), false),
    };
    Verdict::Decided(Decision { changes: if kept { changes } else { ChangeSet::default() }, outcome, touched })
}

/// What rests on the changes of a command.
fn follow(view: &mut FlowView<'_>, context: &Context) -> Result<(), Halt> {
    waiting::close_what_ended(&mut view.view, context.now);
    view.view.follow_waits();
    member_step::count(view, context)
}
