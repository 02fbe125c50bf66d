//! A client as the round sees it: its process, and its log as far as it is
//! written.

use crate::kills::Fallible;
use crate::kills::acks::{Ack, Noted};
use crate::kills::process::Process;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// A client and what is known of its log.
pub struct Caller {
    /// It.
    pub process: Process,
    /// Its log.
    pub log: PathBuf,
    /// How much of the log was read.
    pub read_up_to: u64,
    /// What was read there.
    pub noted: Vec<Noted>,
}

impl Caller {
    /// Reads what was appended, up to the last whole line.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn read_on(&mut self) -> Fallible {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.read_up_to))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        self.read_up_to += whole.len() as u64;
        for line in whole.lines() {
            self.noted.push(serde_json::from_str(line)?);
        }
        Ok(())
    }
}

/// Whether it says that something new is stored.
pub fn is_fresh_create(ack: &Ack) -> bool {
    matches!(ack, Ack::Created { duplicate: false, .. })
}

/// Whether a create was refused for want of room, with the error that says so.
pub fn is_create_refused_for_room(ack: &Ack) -> bool {
    matches!(ack, Ack::Retried { op, code } if op.starts_with("create_execution") && code == "resource_exhausted")
}

/// Whether a create has to be sent again.
pub fn is_create_open(ack: &Ack) -> bool {
    matches!(ack, Ack::Retried { op, .. } | Ack::Unknown { op } if op.starts_with("create_execution"))
}

/// Whether work that was there already went on.
pub fn is_work_going_on(ack: &Ack) -> bool {
    matches!(ack, Ack::Claimed { .. } | Ack::Completed { .. } | Ack::Failed { .. } | Ack::Replayed { .. })
}
