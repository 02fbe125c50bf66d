//! `list_expired_leases`: active executions whose lease ran out.
//!
//! The store lists by what it holds. A lease may live longer than that, since
//! renewals are stored later than they are answered; so an entry that is not
//! marked as lapsed yet is listed only if its owner's promise ran out too.

use super::EngineHandle;
use futures::{StreamExt, TryStreamExt};
use leasehold_backend::{ExpiredLease, ExpiredLeaseCursor, PAGE_MAX};
use leasehold_contract::{EngineResult, ExpiredLeaseEntry, ExpiredLeasesPage, ListExpiredLeases};
use leasehold_core::error::EngineError;
use leasehold_core::ids::{ExecutionId, Namespace};
use leasehold_core::record::{Execution, Lease, RecordKey};
use leasehold_core::state::OwnershipState;
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Entries of a page unless the caller says otherwise.
const LIMIT_DEFAULT: usize = 1000;

/// The most entries of a page.
const LIMIT_MAX: usize = 10_000;

/// The least that is asked of the store at once, so that a filter that drops
/// nearly all does not cost a round trip an entry.
const FETCH_MIN: usize = 100;

/// Store pages one call reads at most; a page that is short because of it
/// says where to go on.
const FETCHES_MAX: usize = 64;

/// Partitions whose records are loaded at the same time.
const LOADS_AT_ONCE: usize = 8;

/// What the record of a listed execution says about its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It ran out and was marked.
    Marked,
    /// Only its owner knows whether it ran out.
    AskOwner {
        /// Until when it may have been promised at most.
        promised_until_at_most: TimestampMs,
    },
    /// It is not an expired lease (any more), or of another namespace.
    Out,
}

impl EngineHandle {
    pub(super) async fn expired_leases(&self, args: ListExpiredLeases) -> EngineResult<ExpiredLeasesPage> {
        let limit = args.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX);
        if limit == 0 {
            return Ok(ExpiredLeasesPage::default());
        }
        let as_of = args.as_of.unwrap_or_else(|| self.router.partition_time());
        let mut after = args.after.map(|(expires_at, execution_id)| ExpiredLeaseCursor { expires_at, execution_id });
        let mut entries = Vec::new();
        let mut ended = false;
        for _ in 0..FETCHES_MAX {
            let fetch = (limit + 1 - entries.len()).clamp(FETCH_MIN, PAGE_MAX);
            let listed = self.env.backend.list_expired_leases(as_of, after.as_ref(), fetch).await;
            let listed = listed.map_err(self.store_failed("list_expired_leases"))?;
            ended = listed.len() < fetch;
            after = listed.last().map(cursor).or(after);
            self.keep_expired(listed, as_of, args.namespace.as_ref(), &mut entries).await?;
            if ended || entries.len() > limit {
                break;
            }
        }
        Ok(cut(entries, limit, after.filter(|_| !ended)))
    }

    /// Appends the entries that are expired leases of the namespace, in their
    /// order.
    async fn keep_expired(
        &self,
        listed: Vec<ExpiredLease>,
        as_of: TimestampMs,
        namespace: Option<&Namespace>,
        entries: &mut Vec<ExpiredLeaseEntry>,
    ) -> EngineResult<()> {
        let executions = self.load_listed(&listed).await?;
        for lease in listed {
            let standing = executions
                .get(&lease.execution_id)
                .map_or(Standing::Out, |execution| standing(execution, &lease, namespace));
            let expired = match standing {
                Standing::Marked => true,
                Standing::Out => false,
                Standing::AskOwner { promised_until_at_most } => {
                    match self.router.lease_expires_at(lease.execution_id).await {
                        Ok(promised) => promised.is_none_or(|until| until <= as_of),
                        Err(EngineError::PartitionUnavailable { .. }) => promised_until_at_most <= as_of,
                        Err(error) => return Err(error),
                    }
                }
            };
            if expired {
                entries.push(entry(lease));
            }
        }
        Ok(())
    }

    async fn load_listed(&self, listed: &[ExpiredLease]) -> EngineResult<HashMap<ExecutionId, Arc<Execution>>> {
        let mut keys: BTreeMap<u16, Vec<RecordKey>> = BTreeMap::new();
        for lease in listed {
            let id = lease.execution_id;
            keys.entry(id.partition()).or_default().push(RecordKey::Execution(id.uuid()));
        }
        let loads = futures::stream::iter(keys)
            .map(|(partition, keys)| async move { self.env.backend.load(partition, &keys, &[]).await });
        let loaded: Vec<_> =
            loads.buffered(LOADS_AT_ONCE).try_collect().await.map_err(self.store_failed("list_expired_leases"))?;
        let records = loaded.into_iter().flat_map(|loaded| loaded.records).flatten();
        Ok(records.filter_map(|record| record.as_execution().map(|found| (found.id, found.clone()))).collect())
    }
}

fn standing(execution: &Execution, listed: &ExpiredLease, namespace: Option<&Namespace>) -> Standing {
    if namespace.is_some_and(|namespace| *namespace != execution.spec.namespace) {
        return Standing::Out;
    }
    let Some(lease) = execution.lease.as_ref().filter(|lease| lease.lease_epoch == listed.lease_epoch) else {
        return Standing::Out;
    };
    standing_of(execution.vector().ownership_state(), lease)
}

fn standing_of(ownership: OwnershipState, lease: &Lease) -> Standing {
    match ownership {
        OwnershipState::LeaseExpiredReclaimable => Standing::Marked,
        // A renewal is answered for at most one time to live beyond what is stored.
        OwnershipState::Leased => Standing::AskOwner { promised_until_at_most: lease.expires_at.plus(lease.ttl_ms) },
        // A revoked lease was taken away; it did not run out.
        OwnershipState::LeaseRevoked | OwnershipState::Unowned => Standing::Out,
    }
}

/// Cuts the entries to a page. Without a surplus entry the page goes on
/// behind what the store was read up to, if it was not read to its end.
fn cut(mut entries: Vec<ExpiredLeaseEntry>, limit: usize, read_up_to: Option<ExpiredLeaseCursor>) -> ExpiredLeasesPage {
    let next = if entries.len() > limit {
        entries.truncate(limit);
        entries.last().map(|last| (last.expires_at, last.execution_id))
    } else {
        read_up_to.map(|cursor| (cursor.expires_at, cursor.execution_id))
    };
    ExpiredLeasesPage { entries, next }
}

fn cursor(lease: &ExpiredLease) -> ExpiredLeaseCursor {
    ExpiredLeaseCursor { expires_at: lease.expires_at, execution_id: lease.execution_id }
}

fn entry(lease: ExpiredLease) -> ExpiredLeaseEntry {
    ExpiredLeaseEntry {
        execution_id: lease.execution_id,
        lease_id: lease.lease_id,
        lease_epoch: lease.lease_epoch,
        worker_instance_id: lease.worker_instance_id,
        expires_at: lease.expires_at,
        attempt_index: lease.attempt_index,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use leasehold_core::ids::LeaseEpoch;

    fn listed(execution: &Execution) -> ExpiredLease {
        let lease = execution.lease.as_ref().unwrap();
        ExpiredLease {
            execution_id: execution.id,
            lease_id: lease.lease_id,
            lease_epoch: lease.lease_epoch,
            worker_instance_id: lease.worker_instance_id.clone(),
            expires_at: lease.expires_at,
            attempt_index: execution.current_attempt_index(),
        }
    }

    #[test]
    fn only_the_lease_that_was_listed_counts_and_only_in_its_namespace() {
        let execution = fixture::claimed();
        let lease = listed(&execution);
        let asked = Standing::AskOwner { promised_until_at_most: TimestampMs(62_000) };
        assert_eq!(standing(&execution, &lease, None), asked);
        assert_eq!(standing(&execution, &lease, Some(&Namespace::new("tenant"))), asked);
        assert_eq!(standing(&execution, &lease, Some(&Namespace::new("other"))), Standing::Out);
        let replaced = ExpiredLease { lease_epoch: LeaseEpoch(9), ..lease.clone() };
        assert_eq!(standing(&execution, &replaced, None), Standing::Out);
        assert_eq!(standing(&fixture::created(), &lease, None), Standing::Out);
    }

    #[test]
    fn a_marked_lease_counts_and_a_revoked_one_does_not() {
        let lease = fixture::claimed().lease.clone().unwrap();
        assert_eq!(standing_of(OwnershipState::LeaseExpiredReclaimable, &lease), Standing::Marked);
        assert_eq!(standing_of(OwnershipState::LeaseRevoked, &lease), Standing::Out);
        assert_eq!(standing_of(OwnershipState::Unowned, &lease), Standing::Out);
    }

    #[test]
    fn a_page_goes_on_behind_its_last_entry_or_behind_what_was_read() {
        let lease = listed(&fixture::claimed());
        let at = |ms| ExpiredLease { expires_at: TimestampMs(ms), ..lease.clone() };
        let entries = |times: &[i64]| times.iter().map(|ms| entry(at(*ms))).collect::<Vec<_>>();
        let read_up_to = cursor(&at(9));
        for (times, limit, read_up_to, listed, next) in [
            (&[1, 2, 3][..], 2, Some(read_up_to), 2, Some(2)),
            (&[1, 2, 3], 2, None, 2, Some(2)),
            (&[1, 2], 2, None, 2, None),
            (&[1], 2, Some(read_up_to), 1, Some(9)),
            (&[], 2, None, 0, None),
        ] {
            let page = cut(entries(times), limit, read_up_to);
            assert_eq!((page.entries.len(), page.next.map(|(at, _)| at.0)), (listed, next), "{times:?}");
        }
    }
}
