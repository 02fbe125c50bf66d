//! Commits of which a store reports part by part what became of them.

use crate::fixture::{Fixture, settle, spawn};
use leasehold_backend::Backend;
use leasehold_contract::{EngineResult, Executions, Reads};
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::PartitionConfig;
use leasehold_memory::{CommitFault, PartFault};
use std::collections::BTreeMap;

const PARTITIONS: u16 = 4;

async fn fixture() -> Fixture {
    Fixture::with(|options| {
        options.partitions = PartitionConfig { num_flow_partitions: PARTITIONS, ..PartitionConfig::default() };
    })
    .await
}

/// Creates one execution per partition in one commit, of which the part of
/// partition 1 meets a fault; what each caller is told.
async fn creates_under(fixture: &Fixture, fault: PartFault) -> BTreeMap<ExecutionId, EngineResult<()>> {
    let create = |partition| {
        let id = ExecutionId::from_parts(partition, fixture.entropy.uuid());
        let (engine, args) = (fixture.engine.clone(), fixture.create_args(id));
        (id, spawn(async move { engine.create_execution(args).await.map(drop) }))
    };
    fixture.plan.next_commit(CommitFault::DelayBefore(50));
    fixture.plan.next_commit(CommitFault::Part { partition: 1, fault });
    let (_, first) = create(0);
    settle().await;
    let creates: Vec<_> = (0..PARTITIONS).map(create).collect();
    settle().await;
    fixture.clock.advance(50);
    first.await.unwrap().unwrap();
    let mut outcomes = BTreeMap::new();
    for (id, create) in creates {
        while !create.is_finished() {
            settle().await;
            fixture.clock.advance(100);
        }
        outcomes.insert(id, create.await.unwrap());
    }
    assert_eq!(fixture.plan.injected().get("commit_part"), Some(&1));
    outcomes
}

/// The epoch of each partition, by the events of a claim in each.
async fn epochs(fixture: &Fixture) -> Vec<u64> {
    let mut epochs = Vec::new();
    for partition in 0..PARTITIONS {
        let id = ExecutionId::from_parts(partition, fixture.entropy.uuid());
        fixture.engine.create_execution(fixture.create_args(id)).await.unwrap();
        while fixture.claim().await.claimed.execution_id.partition() != partition {}
        epochs.push(fixture.backend.read_events(partition, None, 1000).await.unwrap().last().unwrap().id.epoch);
    }
    epochs
}

#[tokio::test]
async fn a_part_that_fails_for_good_takes_no_other_partition_along() {
    for fault in [PartFault::Permanent, PartFault::Full] {
        let fixture = fixture().await;
        let before = epochs(&fixture).await;
        let outcomes = creates_under(&fixture, fault).await;
        for (id, outcome) in &outcomes {
            assert_eq!(outcome.is_ok(), id.partition() != 1, "{fault:?}: {outcome:?}");
            let state = fixture.engine.read_execution_state(*id).await.unwrap();
            assert_eq!(state.is_some(), id.partition() != 1);
        }
        let after = epochs(&fixture).await;
        for partition in 0..usize::from(PARTITIONS) {
            assert_eq!(after[partition] == before[partition], partition != 1, "{fault:?} in {partition}");
        }
    }
}

#[tokio::test]
async fn a_part_that_finds_the_store_busy_is_sent_again_without_the_others() {
    let fixture = fixture().await;
    let before = epochs(&fixture).await;
    for (_, outcome) in creates_under(&fixture, PartFault::Busy).await {
        outcome.unwrap();
    }
    assert_eq!(epochs(&fixture).await, before);
}

#[tokio::test]
async fn a_part_of_which_nobody_knows_is_looked_up_and_the_others_go_on() {
    for (fault, landed) in [(PartFault::Lost, true), (PartFault::Unsent, false)] {
        let fixture = fixture().await;
        let before = epochs(&fixture).await;
        for (id, outcome) in creates_under(&fixture, fault).await {
            if id.partition() == 1 && !landed {
                assert_eq!(outcome, Err(EngineError::OutcomeUnknown { op: "commit" }));
            } else {
                outcome.unwrap();
            }
            let state = fixture.engine.read_execution_state(id).await.unwrap();
            assert_eq!(state.is_some(), id.partition() != 1 || landed, "{fault:?}");
        }
        // A new epoch shuts out a part that may still be on its way.
        let after = epochs(&fixture).await;
        for partition in 0..usize::from(PARTITIONS) {
            assert_eq!(after[partition] == before[partition], partition != 1, "{fault:?} in {partition}");
        }
    }
}
