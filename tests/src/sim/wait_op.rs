//! Commands of suspension: choosing one, and running it.

use super::arguments::lane;
use super::done::Done;
use super::known::{Known, KnownWaitpoint};
use super::op::Held;
use super::suspending::{forged, rotation, signal, signal_name, suspend};
use super::told::Told;
use leasehold_actors::EngineHandle;
use leasehold_backend::Entropy;
use leasehold_contract::{
    CloseWaitpoint, CloseWaitpointOutcome, DeliverApprovalSignal, DeliverSignal, EngineError, GiveUp,
    ListPendingWaitpoints, PendingWaitpoint, ResumeExecution, RotateHmacSecret, SignalOutcome, SuspendArgs, Suspension,
};
use leasehold_core::handle::BackendTag;
use leasehold_core::ids::{ExecutionId, SignalId, WaitpointId};
use leasehold_core::partition::Partition;
use leasehold_core::record::ResumeTrigger;
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;

/// A command of suspension with its arguments.
#[derive(Clone, Debug)]
pub enum WaitOp {
    /// Make a waitpoint first.
    CreateWaitpoint(Held, String, u64),
    /// Suspend, with the handle or by the triple.
    Suspend(Held, Box<SuspendArgs>, bool),
    /// Send a signal; with a forged token it must be refused.
    Signal(Box<DeliverSignal>, bool),
    /// Approve or reject.
    Approve(Box<DeliverApprovalSignal>),
    /// Resume by hand.
    Resume(ResumeExecution),
    /// Give a waitpoint up.
    Close(CloseWaitpoint),
    /// Let a deadline act.
    ExpireSuspension(ExecutionId),
    /// Make another key current.
    Rotate(RotateHmacSecret),
    /// See what resumed it.
    Observe(Held),
    /// Read a token.
    ReadToken(WaitpointId, ExecutionId),
    /// List waitpoints of an execution.
    ListPending(ExecutionId),
    /// List suspended executions.
    ListSuspended(u16),
    /// List the keys.
    ListKids(u16),
}

fn below(entropy: &dyn Entropy, count: u64) -> u64 {
    entropy.next_u64() % count.max(1)
}

fn any_waitpoint(entropy: &dyn Entropy, known: &Known) -> Option<KnownWaitpoint> {
    // The younger, the likelier it is open.
    let count = known.waitpoints.len() as u64;
    let back = below(entropy, below(entropy, count) + 1);
    known.waitpoints.iter().rev().nth(back as usize).cloned()
}

/// A signal to a waitpoint that is known, at times one that was sent before,
/// at times with a forged token.
pub fn any_signal(entropy: &dyn Entropy, known: &Known) -> Option<WaitOp> {
    let repeated = (below(entropy, 5) == 0 && !known.sent.is_empty())
        .then(|| known.sent[below(entropy, known.sent.len() as u64) as usize].clone());
    let mut args = match repeated {
        Some(args) => args,
        None => {
            let waitpoint = any_waitpoint(entropy, known)?;
            signal(entropy, waitpoint.execution_id, waitpoint.waitpoint_id, waitpoint.token)
        }
    };
    let is_forged = below(entropy, 8) == 0;
    if is_forged {
        let others: Vec<WaitpointToken> = known.waitpoints.iter().map(|waitpoint| waitpoint.token.clone()).collect();
        args.waitpoint_token = forged(entropy, &args.waitpoint_token, &others);
    }
    Some(WaitOp::Signal(Box::new(args), is_forged))
}

/// Several signals at once to one waitpoint.
pub fn storm(entropy: &dyn Entropy, known: &Known) -> Vec<WaitOp> {
    let Some(waitpoint) = any_waitpoint(entropy, known) else { return Vec::new() };
    let one = || signal(entropy, waitpoint.execution_id, waitpoint.waitpoint_id, waitpoint.token.clone());
    (0..6 + below(entropy, 14)).map(|_| WaitOp::Signal(Box::new(one()), false)).collect()
}

impl WaitOp {
    /// Chooses a command, if there is anything to choose from.
    pub fn choose(
        entropy: &dyn Entropy,
        any: ExecutionId,
        held: &[Held],
        known: &Known,
        now: TimestampMs,
    ) -> Option<Self> {
        let below = |count: u64| below(entropy, count);
        let mine = || (!held.is_empty()).then(|| held[below(held.len() as u64) as usize].clone());
        Some(match below(100) {
            0..=9 => Self::CreateWaitpoint(mine()?, format!("key-{}", below(3)), 200 + below(20_000)),
            10..=35 => {
                let held = mine()?;
                let made = |waitpoint: &&KnownWaitpoint| {
                    waitpoint.pending && waitpoint.execution_id == held.execution_id && below(4) > 0
                };
                let made = known.waitpoints.iter().rev().find(made);
                let args = suspend(entropy, now, made.map(|made| (made.waitpoint_id, made.key.as_str())));
                Self::Suspend(held, Box::new(args), below(4) == 0)
            }
            36..=37 => {
                let count = known.suspends.len() as u64;
                let (held, args) = known.suspends.get(below(count) as usize)?.clone();
                Self::Suspend(held, Box::new(args), below(4) == 0)
            }
            38..=67 => any_signal(entropy, known)?,
            68..=73 => {
                let waitpoint = any_waitpoint(entropy, known)?;
                Self::Approve(Box::new(DeliverApprovalSignal {
                    execution_id: waitpoint.execution_id,
                    lane_id: lane(below(2)),
                    waitpoint_id: waitpoint.waitpoint_id,
                    signal_id: SignalId::from_uuid(entropy.uuid()),
                    signal_name: if below(3) == 0 { "approved".to_owned() } else { signal_name(entropy) },
                    idempotency_suffix: format!("by-{}", below(3)),
                    signal_dedup_ttl_ms: 5000 * below(3),
                    max_signals_per_execution: 0,
                }))
            }
            74..=80 => {
                let execution_id = any_waitpoint(entropy, known).map_or(any, |waitpoint| waitpoint.execution_id);
                let trigger = if below(2) == 0 { ResumeTrigger::Operator } else { ResumeTrigger::Signal };
                Self::Resume(ResumeExecution { execution_id, trigger, resume_delay_ms: 500 * below(3) })
            }
            81..=84 => {
                let waitpoint = any_waitpoint(entropy, known)?;
                let because = if below(2) == 0 { GiveUp::Expiry } else { GiveUp::Abandonment };
                let (execution_id, waitpoint_id) = (waitpoint.execution_id, waitpoint.waitpoint_id);
                Self::Close(CloseWaitpoint { execution_id, waitpoint_id, because })
            }
            85..=87 => {
                Self::ExpireSuspension(any_waitpoint(entropy, known).map_or(any, |waitpoint| waitpoint.execution_id))
            }
            88..=90 => Self::Rotate(rotation(entropy, known.rotations)),
            91..=93 => Self::Observe(mine()?),
            94..=95 => {
                let waitpoint = any_waitpoint(entropy, known)?;
                Self::ReadToken(waitpoint.waitpoint_id, waitpoint.execution_id)
            }
            96..=97 => Self::ListPending(any),
            98 => Self::ListSuspended(any.partition()),
            _ => Self::ListKids(any.partition()),
        })
    }

    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateWaitpoint(..) => "create_waitpoint",
            Self::Suspend(_, _, false) => "suspend",
            Self::Suspend(_, _, true) => "suspend_by_triple",
            Self::Signal(..) => "deliver_signal",
            Self::Approve(_) => "deliver_approval_signal",
            Self::Resume(_) => "resume_execution",
            Self::Close(_) => "close_waitpoint",
            Self::ExpireSuspension(_) => "expire_suspension",
            Self::Rotate(_) => "rotate_waitpoint_hmac_secret_all",
            Self::Observe(_) => "observe_signals",
            Self::ReadToken(..) => "read_waitpoint_token",
            Self::ListPending(_) => "list_pending_waitpoints",
            Self::ListSuspended(_) => "list_suspended",
            Self::ListKids(_) => "list_waitpoint_hmac_kids",
        }
    }

    /// Runs it.
    pub async fn run(self, engine: &EngineHandle) -> Result<Done, EngineError> {
        let told = |told: Told| Ok(Done::Told(vec![told]));
        let other = |text: String| Ok(Done::Other(text));
        match self {
            Self::CreateWaitpoint(held, key, expires_in_ms) => {
                let made = engine.create_waitpoint(&held.handle, key.clone(), expires_in_ms).await?;
                let PendingWaitpoint { waitpoint_id, hmac_token: token } = made;
                let execution_id = held.execution_id;
                told(Told::Waitpoint(KnownWaitpoint { execution_id, waitpoint_id, key, token, pending: true }))
            }
            Self::Suspend(held, args, by_triple) => {
                let outcome = if by_triple {
                    let payload = held.handle.decode(BackendTag::Memory).expect("a handle of this store");
                    engine.suspend_by_triple(held.execution_id, payload.fence().into(), *args).await?
                } else {
                    engine.suspend(&held.handle, *args).await?
                };
                told(Told::Suspend(held, outcome))
            }
            Self::Signal(args, is_forged) => {
                let (execution, waitpoint) = (args.execution_id, args.waitpoint_id);
                let outcome = engine.deliver_signal(*args).await?;
                if is_forged {
                    return Ok(Done::Wrong(format!("a forged token bought {outcome:?}")));
                }
                told(heard(execution, waitpoint, &outcome))
            }
            Self::Approve(args) => {
                let (execution, waitpoint) = (args.execution_id, args.waitpoint_id);
                let outcome = engine.deliver_approval_signal(*args).await?;
                told(heard(execution, waitpoint, &outcome))
            }
            Self::Resume(args) => other(format!("{:?}", engine.resume_execution(args).await?)),
            Self::Close(args) => {
                let waitpoint = args.waitpoint_id;
                match engine.close_waitpoint(args).await? {
                    CloseWaitpointOutcome::NotYetDue => other("not yet due".to_owned()),
                    CloseWaitpointOutcome::Closed | CloseWaitpointOutcome::AlreadyClosed => {
                        told(Told::Closed(waitpoint))
                    }
                }
            }
            Self::ExpireSuspension(id) => other(format!("{:?}", engine.expire_suspension(id).await?)),
            Self::Rotate(args) => other(format!("{:?}", engine.rotate_waitpoint_hmac_secret_all(args).await?)),
            Self::Observe(held) => {
                let seen = engine.observe_signals(&held.handle).await?;
                let ids: Vec<_> = seen
                    .iter()
                    .map(|signal| (signal.signal_id, signal.payload.as_ref().map(bytes::Bytes::len)))
                    .collect();
                other(format!("{ids:?}"))
            }
            Self::ReadToken(waitpoint, execution) => {
                let read = engine.read_waitpoint_token(Partition::flow(execution.partition()), waitpoint).await?;
                other(format!("{read:?}"))
            }
            Self::ListPending(execution_id) => {
                let args = ListPendingWaitpoints { execution_id, after: None, limit: None };
                other(format!("{:?}", engine.list_pending_waitpoints(args).await?))
            }
            Self::ListSuspended(partition) => {
                other(format!("{:?}", engine.list_suspended(Partition::flow(partition), None, 50).await?))
            }
            Self::ListKids(partition) => {
                other(format!("{:?}", engine.list_waitpoint_hmac_kids(Partition::flow(partition)).await?))
            }
        }
    }
}

fn heard(execution: ExecutionId, waitpoint: WaitpointId, outcome: &SignalOutcome) -> Told {
    match outcome {
        SignalOutcome::Accepted { signal_id, effect } => Told::Signal(execution, waitpoint, *signal_id, *effect),
        SignalOutcome::Duplicate { existing_signal_id } => Told::KnownSignal(waitpoint, *existing_signal_id),
    }
}
