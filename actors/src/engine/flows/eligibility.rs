//! `evaluate_flow_eligibility`: the rule over what is stored, without its
//! owner.

use super::super::EngineHandle;
use leasehold_contract::EngineResult;
use leasehold_core::command::flow::{EvaluateFlowEligibility, FlowEligibility};
use leasehold_core::command::{Operation, Verdict, decide};
use leasehold_core::decision::Context;
use leasehold_core::error::{BugKind, EngineError};
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::record::{Blob, BlobKey, Record, RecordKey};
use leasehold_core::view::{Need, Source};
use std::collections::HashMap;
use uuid::Uuid;

/// What has been loaded so far.
#[derive(Default)]
struct Read {
    records: HashMap<RecordKey, Option<Record>>,
    blobs: HashMap<BlobKey, Option<Blob>>,
}

impl Source for Read {
    fn find(&self, key: &RecordKey) -> Option<Option<Record>> {
        self.records.get(key).cloned()
    }

    fn find_blob(&self, key: &BlobKey) -> Option<Option<Blob>> {
        self.blobs.get(key).cloned()
    }
}

impl EngineHandle {
    pub(super) async fn eligibility(&self, execution_id: ExecutionId) -> EngineResult<FlowEligibility> {
        let Some(execution) = self.find(EvaluateFlowEligibility::NAME, execution_id).await? else {
            return Ok(FlowEligibility::NotFound);
        };
        // The rule looks at the execution for its flow; a standalone one has
        // none to look at.
        let flow_id = execution.flow_id.unwrap_or(FlowId::from_uuid(Uuid::nil()));
        let command = EvaluateFlowEligibility { flow_id, execution_id }.into_command();
        let context = Context { now: self.router.partition_time(), random: 0.0, promised_until: None };
        let mut read = Read::default();
        let mut needs: Vec<Need> = command.keys().into_iter().map(Need::Record).collect();
        loop {
            self.fill(&mut read, execution_id.partition(), &needs).await?;
            match decide(&command, &read, &context) {
                Verdict::Needs(more) => needs = more,
                Verdict::Decided(decision) => {
                    return EvaluateFlowEligibility::outcome(decision.outcome?)
                        .map_err(|_| EngineError::bug(BugKind::Panic, "a reply of another operation"));
                }
            }
        }
    }

    async fn fill(&self, read: &mut Read, partition: u16, needs: &[Need]) -> EngineResult<()> {
        let mut keys = Vec::new();
        let mut blobs = Vec::new();
        for need in needs {
            match need {
                Need::Record(key) => keys.push(key.clone()),
                Need::Blob(key) => blobs.push(*key),
            }
        }
        let loaded = self.env.backend.load(partition, &keys, &blobs).await;
        let loaded = loaded.map_err(self.store_failed(EvaluateFlowEligibility::NAME))?;
        read.records.extend(keys.into_iter().zip(loaded.records));
        read.blobs.extend(blobs.into_iter().zip(loaded.blobs));
        Ok(())
    }
}
