//! `read_execution_state`: the label shown to people.

use crate::case::Case;
use leasehold_contract::AdmissionBlock;
use leasehold_core::state::{PublicState, TerminalOutcome};

pub async fn each_state_has_its_label(case: &mut Case) {
    for (id, label) in [
        (case.waiting().await, PublicState::Waiting),
        (case.delayed(1000).await, PublicState::Delayed),
        (case.blocked(AdmissionBlock::WaitingForBudget).await, PublicState::RateLimited),
        (case.blocked(AdmissionBlock::WaitingForQuota).await, PublicState::RateLimited),
        (case.blocked(AdmissionBlock::WaitingForCapableWorker).await, PublicState::Waiting),
        (case.blocked(AdmissionBlock::PausedByOperator).await, PublicState::Waiting),
        (case.blocked(AdmissionBlock::PausedByPolicy).await, PublicState::Waiting),
        (case.granted().await, PublicState::Waiting),
        (case.leased().await.execution.execution_id, PublicState::Active),
        (case.revoked().await.execution.execution_id, PublicState::Active),
        (case.parked(1000).await.execution.execution_id, PublicState::Delayed),
        (case.resumable().await.execution.execution_id, PublicState::Resumable),
        (case.retrying().await.execution.execution_id, PublicState::Delayed),
        (case.ended(TerminalOutcome::Success).await.execution.execution_id, PublicState::Completed),
        (case.ended(TerminalOutcome::Failed).await.execution.execution_id, PublicState::Failed),
        (case.ended(TerminalOutcome::Cancelled).await.execution.execution_id, PublicState::Cancelled),
        (case.ended(TerminalOutcome::Expired).await.execution.execution_id, PublicState::Expired),
        (case.lapsed().await.execution.execution_id, PublicState::Active),
    ] {
        assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(label)));
    }
}

pub async fn an_unknown_execution_gives_none(case: &mut Case) {
    assert_eq!(case.engine.read_execution_state(case.id()).await, Ok(None));
    assert_eq!(case.engine.read_execution_state(case.id_in(u16::MAX)).await, Ok(None));
}
