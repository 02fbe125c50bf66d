//! Every error code, its kind, its class and its meaning, in one table.
//!
//! A kind is named like its code. Its class is the one in brackets, else the
//! one of its group. What stands under `beyond` has no code of the wire
//! protocol's list; its name only labels it.

use super::ErrorClass;
use crate::ids::{AttemptId, FlowId, LeaseEpoch};
use crate::state::{LifecyclePhase, TerminalOutcome};

/// How an execution stands that is not active, so that a worker can tell its
/// own finished call from somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotActive {
    /// How it ended, if it did.
    pub terminal_outcome: TerminalOutcome,
    /// The epoch of its last lease.
    pub lease_epoch: LeaseEpoch,
    /// Where it stands.
    pub lifecycle_phase: LifecyclePhase,
    /// Its live or last attempt.
    pub attempt_id: Option<AttemptId>,
}

macro_rules! class_of {
    ($default:ident) => {
        ErrorClass::$default
    };
    ($default:ident $own:ident) => {
        ErrorClass::$own
    };
}

macro_rules! code_table {
    ($(
        $(#[$meta:meta])*
        $group:ident: $default:ident {
            $($code:literal $kind:ident $(($data:ty))? $([$class:ident])? $text:literal;)+
            $(beyond { $($xcode:literal $xkind:ident $(($xdata:ty))? $([$xclass:ident])? $xtext:literal;)+ })?
        }
    )+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub enum $group {
                $(#[doc = concat!("`", $code, "`: ", $text, ".")] $kind $(($data))?,)+
                $($(#[doc = concat!("`", $xcode, "`: ", $xtext, ".")] $xkind $(($xdata))?,)+)?
            }

            impl $group {
                /// The code, snake_case.
                pub const fn code(&self) -> &'static str {
                    match self {
                        $(Self::$kind { .. } => $code,)+
                        $($(Self::$xkind { .. } => $xcode,)+)?
                    }
                }

                /// What a caller can do about it.
                pub const fn class(&self) -> ErrorClass {
                    match self {
                        $(Self::$kind { .. } => class_of!($default $($class)?),)+
                        $($(Self::$xkind { .. } => class_of!($default $($xclass)?),)+)?
                    }
                }

                /// What it means, for people.
                pub const fn meaning(&self) -> &'static str {
                    match self {
                        $(Self::$kind { .. } => $text,)+
                        $($(Self::$xkind { .. } => $xtext,)+)?
                    }
                }
            }
        )+

        /// Every code of the wire protocol with its class.
        pub const ALL_CODES: &[(&str, ErrorClass)] = &[
            $($(($code, class_of!($default $($class)?)),)+)+
        ];
    };
}

code_table! {
    /// What was not found.
    #[derive(Copy, Hash)]
    Entity: Terminal {
        "execution_not_found" Execution "no such execution";
        "flow_not_found" Flow "no such flow";
        "attempt_not_found" Attempt "no such attempt";
        "budget_not_found" Budget "no such budget";
        "quota_policy_not_found" QuotaPolicy "no such quota policy";
        "stream_not_found" Stream [Expected] "nothing was ever written to this stream";
        beyond {
            "edge_not_found" Edge "no such dependency";
            "waitpoint_not_found" Waitpoint "no such waitpoint";
            "suspension_not_found" Suspension "no such suspension";
            "signal_not_found" Signal "no such signal";
            "lane_not_found" Lane "no such lane";
            "worker_not_found" Worker "no such worker";
        }
    }

    /// Why an argument or a stored value was refused.
    #[derive(Copy, Hash)]
    ValidationKind: Terminal {
        "invalid_input" InvalidInput "an argument was refused";
        "capability_mismatch" CapabilityMismatch [Retryable] "the worker lacks required capabilities";
        "invalid_capabilities" InvalidCapabilities "the capabilities are malformed";
        "invalid_policy_json" InvalidPolicyJson "the policy is malformed";
        "payload_too_large" PayloadTooLarge "the payload is too large";
        "signal_limit_exceeded" SignalLimitExceeded "the execution has received all the signals it may";
        "invalid_waitpoint_key" InvalidWaitpointKey "the waitpoint key is malformed";
        "invalid_token" InvalidToken "the waitpoint token is not valid";
        "waitpoint_not_token_bound" WaitpointNotTokenBound "the waitpoint has no token";
        "retention_limit_exceeded" RetentionLimitExceeded "more is to be kept than allowed";
        "invalid_lease_for_suspend" InvalidLeaseForSuspend "the lease does not allow a suspension";
        "invalid_dependency" InvalidDependency "the dependency is not valid";
        "invalid_waitpoint_for_execution" InvalidWaitpointForExecution "the waitpoint belongs to another execution";
        "invalid_blocking_reason" InvalidBlockingReason "an execution cannot be blocked for this reason";
        "invalid_offset" InvalidOffset [Retryable] "the stream has no such offset";
        "unauthorized" Unauthorized "the caller may not do this";
        "invalid_budget_scope" InvalidBudgetScope "the budget scope is not valid";
        "budget_override_not_allowed" BudgetOverrideNotAllowed "the budget cannot be overridden";
        "invalid_quota_spec" InvalidQuotaSpec "the quota is malformed";
        "invalid_kid" InvalidKid "the key id is malformed";
        "invalid_secret_hex" InvalidSecretHex "the secret is not a hex text of allowed length";
        "invalid_grace_ms" InvalidGraceMs "the grace period is not valid";
        "invalid_tag_key" InvalidTagKey "a tag key has the form namespace.name in lower case";
        "invalid_frame_type" InvalidFrameType [SoftError] "the frame type is not valid";
        "fence_required" FenceRequired "the call needs the fence of the current lease";
        "partial_fence_triple" PartialFenceTriple "a fence is given whole or not at all";
        beyond {
            "corruption" Corruption "a stored or encoded value cannot be read";
            "handle_from_other_backend" HandleFromOtherBackend "the handle was issued by another backend";
            "missing_token" MissingToken "the call needs the token of its waitpoint";
            "token_expired" TokenExpired "the key of the waitpoint token verifies no more";
            "hmac_secret_not_initialized" HmacSecretNotInitialized "no secret for waitpoint tokens is installed";
        }
    }

    /// What the call met in its way.
    ContentionKind: Retryable {
        "use_claim_resumed_execution" UseClaimResumedExecution "the execution was interrupted; claim it as resumed";
        "not_a_resumed_execution" NotAResumedExecution "the execution was not interrupted; claim it as fresh";
        "execution_not_leaseable" ExecutionNotLeaseable "the execution cannot be leased now";
        "lease_conflict" LeaseConflict "another lease is in force";
        "invalid_claim_grant" InvalidClaimGrant "no grant for this worker exists";
        "claim_grant_expired" ClaimGrantExpired "the grant has expired";
        "no_eligible_execution" NoEligibleExecution "no execution is waiting";
        "waitpoint_not_found" WaitpointNotFound "the waitpoint does not exist yet or no longer";
        "waitpoint_pending_use_buffer_script" WaitpointPendingUseBufferScript
            "the waitpoint is still pending; the signal must be buffered";
        "stale_graph_revision" StaleGraphRevision "the flow has changed since it was read";
        "rate_limit_exceeded" RateLimitExceeded "the rate limit is reached";
        "concurrency_limit_exceeded" ConcurrencyLimitExceeded "the concurrency limit is reached";
        "execution_not_active" ExecutionNotActive(Box<NotActive>) [Terminal] "the execution is not active";
        "execution_not_eligible" ExecutionNotEligible [Informational] "the execution is not eligible";
        "execution_not_in_eligible_set" ExecutionNotInEligibleSet [Informational] "the execution is not in the queue";
        "execution_not_reclaimable" ExecutionNotReclaimable [Informational] "the execution cannot be reclaimed";
        "no_active_lease" NoActiveLease [Informational] "the execution has no lease";
        beyond {
            "retry_exhausted" RetryExhausted "the store kept refusing the commit as concurrent";
        }
    }

    /// What the call contradicts.
    ConflictKind: Terminal {
        "cycle_detected" CycleDetected "the dependency would close a cycle";
        "self_referencing_edge" SelfReferencingEdge "an execution cannot depend on itself";
        "execution_already_in_flow" ExecutionAlreadyInFlow "the execution belongs to another flow";
        "waitpoint_already_exists" WaitpointAlreadyExists [Informational] "the waitpoint exists already";
        "budget_attach_conflict" BudgetAttachConflict "another budget is attached";
        "quota_attach_conflict" QuotaAttachConflict "another quota policy is attached";
        "rotation_conflict" RotationConflict(String) "the key id is in use with another secret";
        "active_attempt_exists" ActiveAttemptExists [Bug] "an attempt is still running";
        "dependency_already_exists" DependencyAlreadyExists(String) "the dependency exists already";
        beyond {
            "already_member_of_different_flow" AlreadyMemberOfDifferentFlow(FlowId) "the execution is in another flow";
            "edge_group_already_fired" EdgeGroupAlreadyFired "the join has fired already";
        }
    }

    /// Which state stands against the call.
    #[derive(Copy, Hash)]
    StateKind: Terminal {
        "stale_lease" StaleLease "the lease is no longer the current one";
        "lease_expired" LeaseExpired "the lease has expired";
        "lease_revoked" LeaseRevoked "the lease was revoked";
        "target_not_signalable" TargetNotSignalable "the execution takes no signals now";
        "resume_condition_not_met" ResumeConditionNotMet "the resume condition is not met";
        "execution_not_terminal" ExecutionNotTerminal "the execution has not ended";
        "max_replays_exhausted" MaxReplaysExhausted "no replays are left";
        "stream_closed" StreamClosed "the stream is closed";
        "stale_owner_cannot_append" StaleOwnerCannotAppend "only the current lease may write to the stream";
        "execution_not_in_flow" ExecutionNotInFlow "the execution is not a member of the flow";
        "flow_already_terminal" FlowAlreadyTerminal "the flow has ended";
        "not_runnable" NotRunnable "the execution is not runnable";
        "terminal" Terminal "the execution has ended";
        "attempt_not_started" AttemptNotStarted "the attempt has not started";
        "execution_not_eligible_for_attempt" ExecutionNotEligibleForAttempt "the execution cannot have a new attempt now";
        "replay_not_allowed" ReplayNotAllowed "the execution cannot be replayed";
        "max_retries_exhausted" MaxRetriesExhausted "no retries are left";
        "budget_exceeded" BudgetExceeded [Cooperative] "the budget is used up";
        "execution_not_suspended" ExecutionNotSuspended [Informational] "the execution is not suspended";
        "already_suspended" AlreadySuspended [Informational] "the execution is suspended already";
        "waitpoint_closed" WaitpointClosed [Informational] "the waitpoint is closed";
        "duplicate_signal" DuplicateSignal [Informational] "the signal was delivered before";
        "grant_already_exists" GrantAlreadyExists [Informational] "a grant exists already";
        "ok_already_applied" OkAlreadyApplied [Informational] "this was done before";
        "attempt_already_terminal" AttemptAlreadyTerminal [Informational] "the attempt has ended already";
        "stream_already_closed" StreamAlreadyClosed [Informational] "the stream is closed already";
        "budget_soft_exceeded" BudgetSoftExceeded [Informational] "the soft limit of the budget is passed";
        "waitpoint_not_open" WaitpointNotOpen [Informational] "the waitpoint is not open";
        "waitpoint_not_pending" WaitpointNotPending [Informational] "the waitpoint is not pending";
        "pending_waitpoint_expired" PendingWaitpointExpired [Informational] "the pending waitpoint has expired";
        "not_blocked_by_deps" NotBlockedByDeps [Informational] "no dependency blocks the execution";
        "deps_not_satisfied" DepsNotSatisfied [Informational] "dependencies are still open";
        beyond {
            "already_satisfied" AlreadySatisfied [Informational] "the condition is satisfied already";
        }
    }

    /// How the engine contradicts itself.
    #[derive(Copy, Hash)]
    BugKind: Bug {
        "attempt_not_in_created_state" AttemptNotInCreatedState "an attempt to be started is not a new one";
        beyond {
            "panic" Panic "a decision panicked and was discarded";
        }
    }
}
