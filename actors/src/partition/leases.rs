//! The lease table: what the owner promised beyond what is stored.
//!
//! A renewal is answered from memory and stored with a later commit. It
//! promises at most one durable ttl beyond the durable expiry; a partition
//! that was taken over waits that long, so a promise outlives its owner.

use leasehold_core::ids::{LeaseFence, RequestId};
use leasehold_core::record::{Execution, Holder};
use leasehold_core::state::OwnershipState;
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// One live lease.
#[derive(Clone, Debug)]
pub struct LeaseEntry {
    /// What proves it.
    pub fence: LeaseFence,
    /// Where its worker runs.
    pub holder: Holder,
    /// The request it answered.
    pub request_id: Option<RequestId>,
    /// When it lapses, as stored.
    pub durable_expires_at: TimestampMs,
    /// How long a renewal lasts, as stored.
    pub durable_ttl_ms: u64,
    /// When the stored renewal was.
    pub durable_renewed_at: TimestampMs,
    /// When it lapses, as promised.
    pub promised_until: TimestampMs,
    /// When a renewal answered from memory is stored at the latest.
    pub flush_at: Option<TimestampMs>,
}

/// Live leases of a partition, by what is due next.
#[derive(Debug, Default)]
pub struct LeaseTable {
    entries: HashMap<Uuid, LeaseEntry>,
    due: BTreeSet<(TimestampMs, Uuid)>,
    flushes: BTreeSet<(TimestampMs, Uuid)>,
}

/// What a renewal from memory comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryRenewal {
    /// The promise is given.
    Promised(TimestampMs),
    /// It has to be stored first.
    MustCommit,
}

impl LeaseTable {
    /// Follows a staged change of an execution.
    pub fn follow(&mut self, execution: &Execution) {
        let id = execution.id.uuid();
        let leased = execution.vector().ownership_state() == OwnershipState::Leased;
        match execution.lease.as_ref().filter(|_| leased) {
            Some(lease) => {
                let promised = self
                    .entries
                    .get(&id)
                    .filter(|entry| {
                        // A renewal in the same millisecond may have shortened the lease.
                        entry.fence == lease.fence()
                            && entry.durable_renewed_at == lease.last_renewed_at
                            && entry.durable_expires_at == lease.expires_at
                    })
                    .map(|entry| (entry.promised_until, entry.flush_at));
                let (promised_until, flush_at) = promised.unwrap_or((lease.expires_at, None));
                self.place(
                    id,
                    LeaseEntry {
                        fence: lease.fence(),
                        holder: lease.holder,
                        request_id: lease.request_id,
                        durable_expires_at: lease.expires_at,
                        durable_ttl_ms: lease.ttl_ms,
                        durable_renewed_at: lease.last_renewed_at,
                        promised_until,
                        flush_at,
                    },
                );
            }
            None => self.drop_entry(id),
        }
    }

    /// Takes in a lease that another owner may have promised more for: it is
    /// due one durable ttl after its durable expiry, whenever the takeover
    /// happens, so that repeated takeovers keep nobody alive.
    pub fn inherit(&mut self, execution: &Execution) {
        self.follow(execution);
        let id = execution.id.uuid();
        if let Some(entry) = self.entries.get(&id).cloned() {
            let promised_until = entry.durable_expires_at.plus(entry.durable_ttl_ms);
            self.place(id, LeaseEntry { promised_until, ..entry });
        }
    }

    fn place(&mut self, id: Uuid, entry: LeaseEntry) {
        self.drop_entry(id);
        self.due.insert((entry.promised_until, id));
        if let Some(at) = entry.flush_at {
            self.flushes.insert((at, id));
        }
        self.entries.insert(id, entry);
    }

    fn drop_entry(&mut self, id: Uuid) {
        if let Some(old) = self.entries.remove(&id) {
            self.due.remove(&(old.promised_until, id));
            if let Some(at) = old.flush_at {
                self.flushes.remove(&(at, id));
            }
        }
    }

    /// A live lease.
    pub fn get(&self, id: Uuid) -> Option<&LeaseEntry> {
        self.entries.get(&id)
    }

    /// Until when the lease of an execution is promised.
    pub fn promised_until(&self, id: Uuid) -> Option<TimestampMs> {
        self.entries.get(&id).map(|entry| entry.promised_until)
    }

    /// Renews from memory, where that is allowed: the lease is live, the
    /// caller holds it, the ttl is the stored one, and the stored renewal is
    /// not older than half a ttl.
    pub fn renew(&mut self, id: Uuid, fence: &LeaseFence, ttl_ms: u64, now: TimestampMs) -> MemoryRenewal {
        let Some(entry) = self.entries.get(&id).cloned() else {
            return MemoryRenewal::MustCommit;
        };
        let stale = now.since(entry.durable_renewed_at) >= entry.durable_ttl_ms / 2;
        if entry.fence != *fence || entry.durable_ttl_ms != ttl_ms || entry.promised_until <= now || stale {
            return MemoryRenewal::MustCommit;
        }
        let most = entry.durable_expires_at.plus(entry.durable_ttl_ms);
        let promised_until = now.plus(ttl_ms).min(most);
        let flush_at = entry.flush_at.or(Some(entry.durable_renewed_at.plus(entry.durable_ttl_ms / 2)));
        self.place(id, LeaseEntry { promised_until, flush_at, ..entry });
        MemoryRenewal::Promised(promised_until)
    }

    /// The next moment at which a lease lapses or a renewal must be stored.
    pub fn next_due(&self) -> Option<TimestampMs> {
        let lapse = self.due.first().map(|(at, _)| *at);
        let flush = self.flushes.first().map(|(at, _)| *at);
        [lapse, flush].into_iter().flatten().min()
    }

    /// Executions whose lease has lapsed by `now`, at most `limit`.
    pub fn lapsed(&self, now: TimestampMs, limit: usize) -> Vec<Uuid> {
        self.due.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, id)| *id).collect()
    }

    /// Executions whose renewal must be stored by `now`, at most `limit`. A
    /// promise that has lapsed needs no storing.
    pub fn to_flush(&self, now: TimestampMs, limit: usize) -> Vec<(Uuid, LeaseEntry)> {
        self.flushes
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .filter_map(|(_, id)| self.entries.get(id).map(|entry| (*id, entry.clone())))
            .filter(|(_, entry)| entry.promised_until > now)
            .collect()
    }

    /// Executions claimed by a request, so that a repeat finds them.
    pub fn of_request(&self, request_id: RequestId) -> Vec<Uuid> {
        let mut found: Vec<_> =
            self.entries.iter().filter(|(_, entry)| entry.request_id == Some(request_id)).map(|(id, _)| *id).collect();
        found.sort_unstable();
        found
    }

    /// Lets every lease live longer: the owner itself stood still for so
    /// long, and its renewals with it.
    pub fn extend(&mut self, ms: u64) {
        let entries: Vec<_> = self.entries.iter().map(|(id, entry)| (*id, entry.clone())).collect();
        for (id, entry) in entries {
            let most = entry.durable_expires_at.plus(entry.durable_ttl_ms);
            let promised_until = entry.promised_until.plus(ms).min(most).max(entry.promised_until);
            self.place(id, LeaseEntry { promised_until, ..entry });
        }
    }
}
