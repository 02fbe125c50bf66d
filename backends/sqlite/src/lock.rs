//! The lock that keeps a second process, or a second store object in this
//! one, away from the file.
//!
//! It is an operating-system lock on a file beside the database. The system
//! drops it when the process ends in whatever way, so that a left-over file
//! means nothing; its text only names the owner for people.

use crate::open;
use leasehold_backend::{StoreError, StoreResult};
use leasehold_core::ids::NodeId;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Held as long as the store is open.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock of a database file.
    ///
    /// # Errors
    ///
    /// `Refused`, naming the owner, when it is taken; also when the file
    /// cannot be made.
    pub(crate) fn acquire(database: &Path) -> StoreResult<Self> {
        let path = place(database);
        let cannot = |error: std::io::Error| {
            StoreError::refused(format!("The lock file {} cannot be opened: {error}.", path.display()))
        };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(database, &mut file)),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let mut lock = Self { file, path };
        lock.write(&format!("pid {}\n", std::process::id()))?;
        Ok(lock)
    }

    /// Notes which node works on the file.
    ///
    /// # Errors
    ///
    /// `Refused` when the file cannot be written.
    pub(crate) fn note_node(&mut self, node: NodeId) -> StoreResult<()> {
        self.write(&format!("pid {}\nnode {node}\n", std::process::id()))
    }

    fn write(&mut self, text: &str) -> StoreResult<()> {
        let mut attempt = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text.as_bytes())
        };
        attempt().map_err(|error| {
            StoreError::refused(format!("The lock file {} cannot be written: {error}.", self.path.display()))
        })
    }
}

/// Where the lock of a database file is.
fn place(database: &Path) -> PathBuf {
    open::beside(database, ".lock")
}

/// Who has a database file open; none when nobody has. A shared lock is tried,
/// so that two who look do not take each other for an owner.
pub(crate) fn owner(database: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(place(database)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(owner_text(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What the owner wrote about itself. It helps people; without it the lock
/// stands all the same.
fn owner_text(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().replace('\n', ", "),
        _ => "unknown process".to_owned(),
    }
}

fn taken(database: &Path, file: &mut File) -> StoreError {
    let owner = owner_text(file);
    StoreError::refused(format!(
        "The database {} is in use ({owner}). One process at a time works on a SQLite store: stop the other one, \
         or give this one a file of its own.",
        database.display()
    ))
}
