//! Records in memory, as staged: what commands are decided on.
//!
//! A record that carries a change not yet durable is never dropped. The rest
//! is bounded in bytes and dropped oldest first, with a second chance for
//! what was used meanwhile. What is delayed for long is dropped as soon as it
//! is durable: the window of timers brings it back in time.

use leasehold_core::decision::ChangeSet;
use leasehold_core::record::{Blob, BlobKey, BlobKind, Execution, Record, RecordKey, WaitRecord};
use leasehold_core::state::PublicState;
use leasehold_core::view::Source;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

struct Entry {
    record: Option<Record>,
    /// The commit its last change goes out with.
    staged_in: u64,
    used: bool,
    bytes: usize,
}

/// Records and their blobs in memory.
pub struct Hot {
    entries: HashMap<RecordKey, Entry>,
    /// The blobs of executions at hand; none where it is known that there is
    /// no such blob.
    blobs: HashMap<BlobKey, Option<Blob>>,
    order: VecDeque<RecordKey>,
    /// Executions delayed for long, by the commit they were staged in.
    far: VecDeque<(u64, Uuid)>,
    bytes: usize,
    bytes_max: usize,
}

/// From this delay on an execution is not worth its place in memory.
const FAR_MS: u64 = 60_000;

fn is_far(record: Option<&Record>) -> bool {
    record.and_then(Record::as_execution).is_some_and(|execution| {
        execution.vector().public_state() == PublicState::Delayed
            && execution.delay_until.is_some_and(|at| at.since(execution.last_mutation_at) >= FAR_MS)
    })
}

/// What an entry costs besides its text and bytes.
const ENTRY_BYTES: usize = 900;

fn bytes_of(record: Option<&Record>) -> usize {
    match record {
        Some(Record::Execution(execution)) => {
            ENTRY_BYTES + execution.tags.iter().map(|(key, value)| key.len() + value.len() + 48).sum::<usize>()
        }
        Some(Record::Wait(WaitRecord::SignalBytes(bytes))) => 200 + bytes.bytes.len(),
        Some(Record::Wait(_) | Record::Flow(_)) => 500,
        _ => 200,
    }
}

impl Hot {
    /// Nothing yet, and never more than about `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            blobs: HashMap::new(),
            order: VecDeque::new(),
            far: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Whether a record, or the knowledge that there is none, is at hand.
    pub fn knows(&self, key: &RecordKey) -> bool {
        self.entries.contains_key(key)
    }

    /// An execution at hand.
    pub fn execution(&self, id: Uuid) -> Option<&Arc<Execution>> {
        self.entries
            .get(&RecordKey::Execution(id))
            .and_then(|entry| entry.record.as_ref())
            .and_then(Record::as_execution)
    }

    /// A payload at hand.
    pub fn payload(&self, id: Uuid) -> Option<&Blob> {
        self.blobs.get(&BlobKey { execution: id, kind: BlobKind::Payload })?.as_ref()
    }

    /// Whether a blob, or the knowledge that there is none, is at hand.
    pub fn knows_blob(&self, key: &BlobKey) -> bool {
        self.blobs.contains_key(key)
    }

    /// Takes in what the store holds, unless something newer is at hand.
    pub fn loaded(&mut self, key: RecordKey, record: Option<Record>) {
        if !self.entries.contains_key(&key) {
            self.place(key, record, 0);
        }
    }

    /// Takes in a blob from the store, for an execution at hand.
    pub fn loaded_blob(&mut self, key: BlobKey, blob: Option<Blob>) {
        if self.entries.contains_key(&RecordKey::Execution(key.execution)) && !self.blobs.contains_key(&key) {
            self.place_blob(key, blob);
        }
    }

    fn place_blob(&mut self, key: BlobKey, blob: Option<Blob>) {
        self.bytes += blob.as_ref().map_or(0, Blob::len);
        let old = self.blobs.insert(key, blob).flatten();
        self.bytes -= old.map_or(0, |old| old.len());
    }

    /// Notes that a record is known not to exist.
    pub fn absent(&mut self, key: RecordKey) {
        self.loaded(key, None);
    }

    fn place(&mut self, key: RecordKey, record: Option<Record>, staged_in: u64) {
        let bytes = bytes_of(record.as_ref());
        self.bytes += bytes;
        match self.entries.get_mut(&key) {
            Some(entry) => {
                self.bytes -= entry.bytes;
                *entry = Entry { record, staged_in: entry.staged_in.max(staged_in), used: true, bytes };
            }
            None => {
                self.order.push_back(key.clone());
                self.entries.insert(key, Entry { record, staged_in, used: false, bytes });
            }
        }
    }

    /// Takes in a staged change set.
    pub fn stage(&mut self, changes: &ChangeSet, commit: u64) {
        for change in &changes.changes {
            if let RecordKey::Execution(id) = change.key
                && is_far(change.new.as_ref())
            {
                self.far.push_back((commit, id));
            }
            self.place(change.key.clone(), change.new.clone(), commit);
        }
        for write in &changes.blobs {
            self.place_blob(write.key, write.bytes.clone());
        }
    }

    /// The last commit that any of these records waits for.
    pub fn staged_in(&self, keys: &[RecordKey]) -> u64 {
        keys.iter().filter_map(|key| self.entries.get(key)).map(|entry| entry.staged_in).max().unwrap_or(0)
    }

    /// Drops what is delayed for long or over the bound, and durable.
    pub fn evict(&mut self, durable: u64) {
        while let Some((_, id)) = self.far.pop_front_if(|(commit, _)| *commit <= durable) {
            let entry = self.entries.get(&RecordKey::Execution(id));
            if entry.is_some_and(|entry| entry.staged_in <= durable && is_far(entry.record.as_ref())) {
                self.drop_entry(&RecordKey::Execution(id));
            }
        }
        let mut looks = self.order.len();
        while self.bytes > self.bytes_max && looks > 0 {
            looks -= 1;
            let Some(key) = self.order.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            if entry.used || entry.staged_in > durable {
                entry.used = false;
                self.order.push_back(key);
            } else {
                self.drop_entry(&key);
            }
        }
    }

    /// Drops an execution that has ended, once that is durable: nobody asks
    /// for it in a hurry.
    pub fn forget(&mut self, id: Uuid, durable: u64) {
        let key = RecordKey::Execution(id);
        if self.entries.get(&key).is_some_and(|entry| entry.staged_in <= durable) {
            self.drop_entry(&key);
        }
    }

    fn drop_entry(&mut self, key: &RecordKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
        if let RecordKey::Execution(id) = key {
            for kind in [BlobKind::Payload, BlobKind::Result] {
                let blob = self.blobs.remove(&BlobKey { execution: *id, kind }).flatten();
                self.bytes -= blob.map_or(0, |blob| blob.len());
            }
        }
        // The place in the order goes with the next look at it.
        if self.order.len() > 2 * self.entries.len() + 64 {
            let entries = &self.entries;
            self.order.retain(|key| entries.contains_key(key));
        }
    }
}

impl Source for Hot {
    fn find(&self, key: &RecordKey) -> Option<Option<Record>> {
        self.entries.get(key).map(|entry| entry.record.clone())
    }

    fn find_blob(&self, key: &BlobKey) -> Option<Option<Blob>> {
        self.blobs.get(key).cloned()
    }
}
