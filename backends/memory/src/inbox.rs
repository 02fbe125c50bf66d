//! The inbox of a simulated store, and the outside writers' side of it.

use crate::data::MemoryStore;
use leasehold_backend::{Hinter, Hints, INBOX_PAGE_BYTES, InboxEntry};
use leasehold_core::command::CreateExecution;
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use leasehold_core::inbox;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Leaves a create in the inbox, as the commit of an outside writer does.
///
/// # Errors
///
/// What `create_execution` would refuse; `unavailable` where the store has no
/// outside writers.
pub fn create(store: &MemoryStore, create: &CreateExecution) -> Result<ExecutionId, EngineError> {
    let bytes = inbox::encode(create)?;
    store.with(|data| {
        let unavailable = EngineError::Unavailable { op: "inbox::create" };
        let inbox = data.inbox.as_mut().ok_or(unavailable)?;
        inbox.add(create.execution_id, bytes);
        Ok(create.execution_id)
    })
}

/// Leaves any bytes in the inbox, as somebody who writes by hand does.
pub fn put(store: &MemoryStore, execution: ExecutionId, bytes: Vec<u8>) {
    store.with(|data| data.inbox.get_or_insert_default().add(execution, bytes));
}

/// Gives the nodes a hint that something is in the inbox.
pub fn announce(store: &MemoryStore) {
    store.with(|data| {
        if let Some(inbox) = &data.inbox {
            inbox.hinter.hint();
        }
    });
}

/// Entries by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    entries: BTreeMap<i64, InboxEntry>,
    numbered: i64,
    hinter: Hinter,
}

impl Inbox {
    fn add(&mut self, execution: ExecutionId, create: Vec<u8>) {
        self.numbered += 1;
        let number = self.numbered;
        self.entries.insert(number, InboxEntry { number, execution, create });
    }

    /// Takes out entries; one that is gone already is gone.
    pub(crate) fn remove(&mut self, numbers: &[i64]) {
        for number in numbers {
            self.entries.remove(number);
        }
    }

    pub(crate) fn page(&self, after: Option<i64>, limit: usize) -> Vec<InboxEntry> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut bytes = 0;
        let entries = self.entries.range((start, Bound::Unbounded)).map(|(_, entry)| entry);
        entries
            .take(limit)
            .take_while(|entry| {
                let fits = bytes == 0 || bytes + entry.create.len() <= INBOX_PAGE_BYTES;
                bytes += entry.create.len();
                fits
            })
            .cloned()
            .collect()
    }

    pub(crate) fn of(&self, execution: ExecutionId) -> Option<InboxEntry> {
        self.entries.values().find(|entry| entry.execution == execution).cloned()
    }

    pub(crate) fn hints(&self) -> Hints {
        self.hinter.hints()
    }
}
