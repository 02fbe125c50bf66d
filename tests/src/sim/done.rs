//! What a command came to, and who is told.

use super::known::Known;
use super::op::Held;
use super::oracle::Oracle;
use super::told::Told;
use leasehold_contract::EngineError;
use leasehold_core::ids::{ExecutionId, LeaseId};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;

/// What a command came to.
pub enum Done {
    /// Executions were created.
    Created(Vec<(ExecutionId, Option<Arc<str>>)>),
    /// Leases were handed out.
    Claimed(Vec<(Held, TimestampMs)>),
    /// A lease was renewed.
    Renewed(LeaseId, TimestampMs),
    /// A lease was given back.
    Released(Held, &'static str),
    /// An execution was cancelled.
    Cancelled(ExecutionId),
    /// An execution is run again.
    Replayed(ExecutionId),
    /// Something of waitpoints or flows.
    Told(Vec<Told>),
    /// Something that must not be.
    Wrong(String),
    /// Something else.
    Other(String),
    /// It was refused or failed.
    Refused(EngineError),
}

impl Done {
    /// One line of the trace.
    pub fn line(&self) -> String {
        match self {
            Self::Created(ids) => {
                format!("created {}", ids.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>().join(" "))
            }
            Self::Claimed(held) => {
                let names: Vec<_> =
                    held.iter().map(|(held, _)| format!("{} {}", held.execution_id, held.lease_id)).collect();
                format!("claimed {}", names.join(", "))
            }
            Self::Renewed(lease, until) => format!("renewed {lease} until {until}"),
            Self::Released(held, how) => format!("released {} {how}", held.lease_id),
            Self::Cancelled(id) => format!("cancelled {id}"),
            Self::Replayed(id) => format!("replayed {id}"),
            Self::Told(all) => format!("{all:?}"),
            Self::Wrong(text) => format!("WRONG {text}"),
            Self::Other(text) => text.clone(),
            Self::Refused(error) => format!("refused {error}"),
        }
    }

    /// What must not be, if that is what it came to.
    pub fn wrong(&self) -> Option<&str> {
        match self {
            Self::Wrong(text) => Some(text),
            _ => None,
        }
    }

    /// The error, if it was refused.
    pub const fn error(&self) -> Option<&EngineError> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }

    /// Tells the oracle what was acknowledged, and the workers what they
    /// hold.
    pub fn tell(self, oracle: &mut Oracle, known: &mut Known, workers: &mut Vec<Held>) {
        match self {
            Self::Created(ids) => {
                for (id, key) in ids {
                    oracle.created(id, key.as_deref());
                }
            }
            Self::Claimed(all) => {
                for (held, until) in all {
                    oracle.claimed(held.execution_id, held.lease_id, until);
                    workers.push(held);
                }
            }
            Self::Renewed(lease, until) => oracle.renewed(lease, until),
            Self::Released(held, how) => {
                oracle.released(held.lease_id, how);
                workers.retain(|other| other.lease_id != held.lease_id);
            }
            Self::Cancelled(id) => oracle.cancelled(id),
            Self::Replayed(id) => oracle.replayed(id),
            Self::Told(all) => {
                for told in all {
                    told.tell(oracle, known, workers);
                }
            }
            Self::Wrong(_) | Self::Other(_) | Self::Refused(_) => {}
        }
    }
}
