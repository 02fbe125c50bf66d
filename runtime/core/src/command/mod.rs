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
pub use waiting::{BUFFERED_SIGNALS_MAX, OPEN_WAITPOINTS_MAX, decide_ending, ending_further_keys, ending_keys};

use crate::decision::{Context, Decision, Rejection};
use crate::ids::ExecutionId;
use crate::record::RecordKey;
use crate::view::{Source, View};

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
    /// The rule.
    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Self::Outcome, Rejection>;
}

macro_rules! commands {
    ($($name:ident => $outcome:ty, $wire:literal;)+) => {
        /// Every operation on one execution, with its arguments.
        #[derive(Clone, Debug)]
        pub enum Command {
            $(#[doc = concat!("`", $wire, "`.")] $name(Box<$name>),)+
        }

        /// The answers, one kind per operation.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Reply {
            $(#[doc = concat!("Of `", $wire, "`.")] $name($outcome),)+
        }

        impl Command {
            /// The names of all operations.
            pub const NAMES: &'static [&'static str] = &[$($wire),+];

            /// The operation's name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $wire),+ }
            }

            /// The execution it is about.
            pub fn execution_id(&self) -> ExecutionId {
                match self { $(Self::$name(args) => args.execution_id()),+ }
            }

            /// Every record that must be loaded before it is decided.
            pub fn keys(&self) -> Vec<RecordKey> {
                let mut keys = vec![RecordKey::Execution(self.execution_id().uuid())];
                match self { $(Self::$name(args) => keys.extend(args.further_keys())),+ }
                keys
            }

            /// Whether it adds an execution, which a full store refuses while
            /// what runs may end.
            pub const fn grows(&self) -> bool {
                matches!(self, Self::CreateExecution(_) | Self::Admit(_))
            }

            fn rule(&self, view: &mut View<'_>, context: &Context) -> Result<Reply, Rejection> {
                match self { $(Self::$name(args) => args.decide(view, context).map(Reply::$name)),+ }
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
}

/// Decides a command over the records in `source`.
///
/// A refusal discards what the command staged, unless its rule keeps it.
pub fn decide(command: &Command, source: &dyn Source, context: &Context) -> Decision {
    let mut view = View::new(source);
    let result = command.rule(&mut view, context);
    let (changes, touched) = view.finish();
    match result {
        Ok(reply) => Decision { changes, outcome: Ok(reply), touched },
        Err(rejection) => Decision {
            changes: if rejection.keeps_changes { changes } else { crate::decision::ChangeSet::default() },
            outcome: Err(rejection.error),
            touched,
        },
    }
}
