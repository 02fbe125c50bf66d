//! The file of acknowledgements: a JSON value per line, only ever appended.

use super::Fallible;
use leasehold_backend::{Clock, SystemClock};
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What the node has answered, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ack", rename_all = "snake_case")]
pub enum Ack {
    /// A create was acknowledged.
    Created {
        /// As what.
        id: String,
        /// Whose.
        key: String,
        /// Whether together with others.
        bulk: bool,
        /// Whether it is said to have existed.
        duplicate: bool,
    },
    /// A lease was issued.
    Claimed {
        /// Of which execution.
        id: String,
        /// Its epoch.
        lease_epoch: u64,
        /// Until when it holds.
        expires_at: i64,
    },
    /// A lease was renewed.
    Renewed {
        /// Of which execution.
        id: String,
        /// Its epoch.
        lease_epoch: u64,
        /// Until when it holds now.
        expires_at: i64,
    },
    /// A completion under a lease.
    Completed {
        /// Of which execution.
        id: String,
        /// The lease's epoch.
        lease_epoch: u64,
    },
    /// A failure under a lease.
    Failed {
        /// Of which execution.
        id: String,
        /// The lease's epoch.
        lease_epoch: u64,
    },
    /// A cancellation.
    Cancelled {
        /// Of which execution.
        id: String,
    },
    /// A replay.
    Replayed {
        /// Of which execution.
        id: String,
    },
    /// The node did not say what became of a call.
    Unknown {
        /// Which operation.
        op: String,
    },
    /// The node asked to be called again, and nothing was done.
    Retried {
        /// Which operation.
        op: String,
        /// Why.
        code: String,
    },
    /// The engine refused a call.
    Refused {
        /// Which operation.
        op: String,
        /// Why.
        code: String,
    },
    /// The node failed in a way it must not.
    Fault {
        /// Which operation.
        op: String,
        /// What it said.
        detail: String,
    },
}

impl Ack {
    /// Under which name it is counted.
    pub fn name(&self) -> String {
        match self {
            Self::Created { bulk, duplicate, .. } => {
                let how = if *bulk { "bulk" } else { "single" };
                format!("create {how}{}", if *duplicate { ", found again" } else { "" })
            }
            Self::Claimed { .. } => "claim".to_owned(),
            Self::Renewed { .. } => "renew".to_owned(),
            Self::Completed { .. } => "complete".to_owned(),
            Self::Failed { .. } => "fail".to_owned(),
            Self::Cancelled { .. } => "cancel".to_owned(),
            Self::Replayed { .. } => "replay".to_owned(),
            Self::Unknown { op } => format!("{op} unknown"),
            Self::Retried { op, code } => format!("{op} tried again: {code}"),
            Self::Refused { op, code } => format!("{op} refused: {code}"),
            Self::Fault { op, detail } => format!("{op} FAULT: {detail}"),
        }
    }

    /// Whether something was promised.
    pub const fn is_promise(&self) -> bool {
        !matches!(self, Self::Unknown { .. } | Self::Retried { .. } | Self::Refused { .. } | Self::Fault { .. })
    }
}

/// An acknowledgement and when it was noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// When the call was sent that was answered so, in wall-clock
    /// milliseconds.
    pub since: i64,
    /// Wall-clock milliseconds, later than the answer.
    pub at: i64,
    /// What was answered.
    #[serde(flatten)]
    pub ack: Ack,
}

/// Appends to the file.
#[derive(Debug)]
pub struct AckLog {
    file: Mutex<File>,
    clock: SystemClock,
}

impl AckLog {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = Mutex::new(OpenOptions::new().create(true).append(true).open(path)?);
        Ok(Self { file, clock: SystemClock::default() })
    }

    /// Wall-clock milliseconds.
    pub fn now(&self) -> i64 {
        self.clock.now().0
    }

    /// Appends one, of a call that was sent at `since`; it is in the file when this returns.
    ///
    /// # Panics
    ///
    /// When the file cannot be written; a log with a gap proves nothing.
    pub fn write(&self, since: i64, ack: &Ack) {
        let TimestampMs(at) = self.clock.now();
        let mut line = serde_json::to_vec(&Noted { since, at, ack: ack.clone() }).expect("an acknowledgement is JSON");
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).expect("the log of acknowledgements can be written");
    }
}

/// Reads the file.
///
/// # Errors
///
/// What the file system says, or a line that is none of ours.
pub fn read(path: &Path) -> Fallible<Vec<Noted>> {
    let mut acks = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        acks.push(serde_json::from_str(&line?)?);
    }
    Ok(acks)
}
