//! Executions that an outside writer has committed and nobody has taken in.
//!
//! Whoever committed one may ask for it at once. What is not found is
//! therefore looked for in the inbox, and taken in before the answer: it is
//! then as visible, and as open to every operation, as if it had been created
//! directly. Only what is absent costs the second look, and only on a store
//! with outside writers.

use super::EngineHandle;
use crate::permits;
use leasehold_contract::EngineResult;
use leasehold_core::command::{Admit, AdmitOutcome, Command};
use leasehold_core::error::{EngineError, Entity};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::Execution;
use std::sync::Arc;

impl EngineHandle {
    /// Whether a command that does not find its execution may be too early.
    /// One under a lease is not: the lease was given by an actor.
    pub(super) fn may_find_it_in_the_inbox(&self, command: &Command) -> bool {
        self.env.outside_writers
            && permits::class(command) == permits::Class::Outside
            && !matches!(command, Command::CreateExecution(_))
    }

    /// Takes an execution in, if it is in the inbox. Afterwards what can be
    /// known of it is in its partition: if it is not in the inbox, somebody
    /// may have taken it in since it was missed, so that it has to be looked
    /// for again in any case.
    pub(super) async fn take_in(&self, op: &'static str, id: ExecutionId) -> EngineResult<()> {
        if id.partition() >= self.partition_count() {
            return Ok(());
        }
        let entry = self.env.backend.inbox_of(id).await.map_err(self.store_failed(op))?;
        let Some(entry) = entry else { return Ok(()) };
        let admit = Admit::new(entry.number, entry.execution, &entry.create);
        if let AdmitOutcome::Refused { error } = self.router.submit(admit).await? {
            tracing::warn!(execution = %id, number = entry.number, %error, "a create in the inbox was refused");
        }
        Ok(())
    }

    /// Waits until an execution has ended; the execution as it ended.
    pub(super) async fn watch(&self, id: ExecutionId) -> EngineResult<Arc<Execution>> {
        match self.router.watch(id).await {
            Err(EngineError::NotFound { entity: Entity::Execution }) if self.env.outside_writers => {
                self.take_in("wait_terminal", id).await?;
                self.router.watch(id).await
            }
            other => other,
        }
    }
}
