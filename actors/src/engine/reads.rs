//! Reads, from the store directly.

use super::views::{attempt_view, info, snapshot};
use super::{EngineHandle, fields, limits, paging};
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_contract::{
    AttemptPage, EngineResult, ExecutionContext, ExecutionInfo, ExecutionPage, ExecutionSnapshot, LanePage, Reads,
};
use leasehold_core::error::EngineError;
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, Namespace};
use leasehold_core::partition::Partition;
use leasehold_core::record::{Attempt, BlobKey, BlobKind, Execution, ResultRef};
use leasehold_core::state::PublicState;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::instrument;

#[async_trait]
impl Reads for EngineHandle {
    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn describe_execution(&self, execution_id: ExecutionId) -> EngineResult<Option<ExecutionSnapshot>> {
        let Some(execution) = self.find("describe_execution", execution_id).await? else {
            return Ok(None);
        };
        let lease_expires_at = self.lease_expiry(&execution).await?;
        Ok(Some(snapshot(&execution, lease_expires_at)))
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn read_execution_context(&self, execution_id: ExecutionId) -> EngineResult<ExecutionContext> {
        let payload = BlobKey { execution: execution_id.uuid(), kind: BlobKind::Payload };
        let (execution, blobs) = self.load("read_execution_context", execution_id, &[payload]).await?;
        let execution =
            execution.ok_or_else(|| EngineError::invalid_input(format!("execution {execution_id} does not exist")))?;
        let input_payload = blobs
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(|| EngineError::corruption("execution", "input_payload", "missing"))?;
        Ok(ExecutionContext {
            input_payload,
            execution_kind: execution.spec.kind.to_string(),
            tags: (*execution.tags).clone(),
        })
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn read_execution_info(&self, execution_id: ExecutionId) -> EngineResult<Option<ExecutionInfo>> {
        let execution = self.find("read_execution_info", execution_id).await?;
        Ok(execution.map(|execution| info(&execution)))
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn read_execution_state(&self, execution_id: ExecutionId) -> EngineResult<Option<PublicState>> {
        let execution = self.find("read_execution_state", execution_id).await?;
        Ok(execution.map(|execution| execution.vector().public_state()))
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn get_execution_result(&self, execution_id: ExecutionId) -> EngineResult<Option<Bytes>> {
        let result = BlobKey { execution: execution_id.uuid(), kind: BlobKind::Result };
        let (execution, blobs) = self.load("get_execution_result", execution_id, &[result]).await?;
        let Some(result) = execution.as_ref().and_then(|execution| execution.result.as_ref()) else { return Ok(None) };
        if let Some(bytes) = in_record(result) {
            return Ok(Some(bytes));
        }
        let stored = blobs.into_iter().next().flatten();
        stored.map(Some).ok_or_else(|| EngineError::corruption("execution", "result", "missing"))
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn get_execution_namespace(&self, execution_id: ExecutionId) -> EngineResult<Option<Namespace>> {
        let execution = self.find("get_execution_namespace", execution_id).await?;
        Ok(execution.map(|execution| execution.spec.namespace.clone()))
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn read_exec_core_fields(
        &self,
        partition: Partition,
        execution_id: ExecutionId,
        names: &[String],
    ) -> EngineResult<BTreeMap<String, Option<String>>> {
        if names.len() > limits::FIELD_NAMES_MAX {
            let most = limits::FIELD_NAMES_MAX;
            return Err(EngineError::invalid_input(format!("names: {}, at most {most}", names.len())));
        }
        if self.flow_partition(partition)? != execution_id.partition() {
            return Err(EngineError::invalid_input(format!("{execution_id} is not in partition {partition}")));
        }
        let Some(execution) = self.find("read_exec_core_fields", execution_id).await? else {
            return Ok(names.iter().map(|name| (name.clone(), None)).collect());
        };
        let lease_expires_at = if names.iter().any(|name| fields::shows_lease_expiry(name)) {
            self.lease_expiry(&execution).await?
        } else {
            None
        };
        Ok(names.iter().map(|name| (name.clone(), fields::field(&execution, name, lease_expires_at))).collect())
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn read_current_attempt_index(&self, execution_id: ExecutionId) -> EngineResult<AttemptIndex> {
        Ok(self.get("read_current_attempt_index", execution_id).await?.current_attempt_index())
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn read_total_attempt_count(&self, execution_id: ExecutionId) -> EngineResult<u32> {
        Ok(self.get("read_total_attempt_count", execution_id).await?.total_attempt_count)
    }

    #[instrument(level = "debug", skip_all, fields(%partition))]
    async fn list_executions(
        &self,
        partition: Partition,
        cursor: Option<ExecutionId>,
        limit: usize,
    ) -> EngineResult<ExecutionPage> {
        let index = self.flow_partition(partition)?;
        if let Some(stranger) = cursor.filter(|id| id.partition() != index) {
            return Err(EngineError::invalid_input(format!("cursor {stranger} is not in partition {partition}")));
        }
        let backend = &self.env.backend;
        let after = cursor.map(|id| id.uuid());
        let page = paging::page(
            after,
            limit,
            |execution: &Arc<Execution>| execution.id.uuid(),
            |after, limit| backend.list_executions(index, after, limit),
        );
        let (found, next) = page.await.map_err(self.store_failed("list_executions"))?;
        Ok(ExecutionPage {
            executions: found.iter().map(|execution| execution.id).collect(),
            next_cursor: next.map(|uuid| ExecutionId::from_parts(index, uuid)),
        })
    }

    #[instrument(level = "debug", skip_all)]
    async fn list_lanes(&self, cursor: Option<LaneId>, limit: usize) -> EngineResult<LanePage> {
        let backend = &self.env.backend;
        let page = paging::page(cursor, limit, LaneId::clone, |after, limit| async move {
            backend.list_lanes(after.as_ref(), limit).await
        });
        let (lanes, next_cursor) = page.await.map_err(self.store_failed("list_lanes"))?;
        Ok(LanePage { lanes, next_cursor })
    }

    #[instrument(level = "debug", skip_all, fields(%execution_id))]
    async fn list_attempts(
        &self,
        execution_id: ExecutionId,
        cursor: Option<AttemptIndex>,
        limit: usize,
    ) -> EngineResult<AttemptPage> {
        let execution = self.get("list_attempts", execution_id).await?;
        let Some(current) = execution.attempt.as_ref() else {
            return Ok(AttemptPage::default());
        };
        let limit = limit.min(leasehold_backend::PAGE_MAX);
        if limit == 0 || cursor.is_some_and(|cursor| cursor >= current.index) {
            return Ok(AttemptPage::default());
        }
        let ended = self.env.backend.list_attempts(execution_id, cursor, limit).await;
        Ok(attempt_page(&ended.map_err(self.store_failed("list_attempts"))?, current, limit))
    }
}

/// A result that lies in its record; none where it lies beside it.
pub(super) fn in_record(result: &ResultRef) -> Option<Bytes> {
    match result {
        ResultRef::Inline(bytes) => Some(Bytes::copy_from_slice(bytes)),
        ResultRef::Stored(_) => None,
    }
}

/// A page of the ended attempts and the one the execution's record holds.
///
/// The record was loaded first. What followed it since is left out, so that
/// the page shows the execution as it was then.
fn attempt_page(ended: &[Arc<Attempt>], current: &Attempt, limit: usize) -> AttemptPage {
    let before = ended.iter().map(Arc::as_ref).filter(|attempt| attempt.index < current.index);
    let attempts: Vec<_> = before.chain([current]).take(limit).map(attempt_view).collect();
    let last = attempts.last().map(|attempt| attempt.attempt_index);
    AttemptPage { next_cursor: last.filter(|last| *last < current.index), attempts }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn attempt(index: u32) -> Attempt {
        Attempt { index: AttemptIndex(index), ..fixture::claimed().attempt.clone().unwrap() }
    }

    fn indexes(ended: &[u32], current: u32, limit: usize) -> (Vec<u32>, Option<u32>) {
        let ended: Vec<_> = ended.iter().map(|index| Arc::new(attempt(*index))).collect();
        let page = attempt_page(&ended, &attempt(current), limit);
        let listed = page.attempts.iter().map(|attempt| attempt.attempt_index.0).collect();
        (listed, page.next_cursor.map(|index| index.0))
    }

    #[test]
    fn the_current_attempt_ends_the_list() {
        assert_eq!(indexes(&[], 0, 10), (vec![0], None));
        assert_eq!(indexes(&[0, 1], 2, 10), (vec![0, 1, 2], None));
        assert_eq!(indexes(&[0, 1], 2, 3), (vec![0, 1, 2], None));
    }

    #[test]
    fn a_full_page_says_where_to_go_on() {
        assert_eq!(indexes(&[0, 1], 2, 2), (vec![0, 1], Some(1)));
        assert_eq!(indexes(&[0], 2, 1), (vec![0], Some(0)));
        assert_eq!(indexes(&[], 2, 1), (vec![2], None));
    }

    #[test]
    fn what_followed_after_the_record_was_read_is_left_out() {
        assert_eq!(indexes(&[0, 1, 2], 1, 10), (vec![0, 1], None));
    }
}
