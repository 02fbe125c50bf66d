//! What goes wrong goes wrong as planned.

mod support;

use leasehold_backend::{Backend, Clock, PartOutcome, SeededEntropy, StoreError};
use leasehold_core::command::ChangePriority;
use leasehold_memory::{CallFault, CommitFault, Crash, CrashPoint, HeartbeatFault, LateAfter, LateCommits, Rates};
use std::sync::Arc;
use support::{NODE_TTL_MS, Owner, creation, id};

const UNKNOWN: fn(&StoreError) -> bool = |error| matches!(error, StoreError::Unknown { .. });

/// Tries to create an execution whose commit meets this fault.
async fn create_under(owner: &mut Owner, fault: CommitFault, number: u128) -> Result<PartOutcome, StoreError> {
    owner.backend.faults().next_commit(fault);
    let changes = owner.decided(creation(id(0, number), "default")).await;
    owner.commit(0, changes).await
}

async fn exists(owner: &Owner, number: u128) -> bool {
    owner.stored(id(0, number)).await.is_some()
}

#[tokio::test]
async fn a_busy_commit_writes_nothing_and_succeeds_when_repeated() {
    let mut owner = Owner::alone().await;
    let outcome = create_under(&mut owner, CommitFault::Busy, 1).await;
    assert!(matches!(outcome, Err(StoreError::Busy { .. })));
    assert!(!exists(&owner, 1).await);
    owner.create(id(0, 1)).await;
    assert_eq!(owner.backend.faults().injected(), [("commit_busy", 1)].into());
}

#[tokio::test]
async fn a_lost_commit_is_applied_and_its_outcome_unknown() {
    let mut owner = Owner::alone().await;
    let outcome = create_under(&mut owner, CommitFault::Lost, 1).await;
    assert!(outcome.is_err_and(|error| UNKNOWN(&error)));
    assert!(exists(&owner, 1).await);
}

#[tokio::test]
async fn a_late_commit_lands_after_the_calls_that_overtake_it() {
    let mut owner = Owner::alone().await;
    let outcome = create_under(&mut owner, CommitFault::Late(LateAfter::Calls(2)), 1).await;
    assert!(outcome.is_err_and(|error| UNKNOWN(&error)));
    let mut found = Vec::new();
    for _ in 0..4 {
        found.push(exists(&owner, 1).await);
    }
    assert_eq!(found, [false, false, true, true]);
    assert_eq!(owner.backend.store().late_commits(), LateCommits { pending: 0, landed: 1, refused: 0 });
}

#[tokio::test]
async fn a_late_commit_lands_when_its_time_has_come() {
    let mut owner = Owner::alone().await;
    let outcome = create_under(&mut owner, CommitFault::Late(LateAfter::Ms(100)), 1).await;
    assert!(outcome.is_err_and(|error| UNKNOWN(&error)));
    owner.clock.advance(99);
    assert!(!exists(&owner, 1).await);
    assert_eq!(owner.backend.store().late_commits().pending, 1);
    owner.clock.advance(1);
    assert!(exists(&owner, 1).await);
}

#[tokio::test]
async fn a_late_commit_that_lands_after_a_takeover_is_refused() {
    let mut owner = Owner::alone().await;
    let part = owner.part(0, owner.decided(creation(id(0, 1), "default")).await);
    let batch = owner.batch(vec![part]);
    owner.backend.faults().next_commit(CommitFault::Late(LateAfter::Calls(1)));
    assert!(owner.backend.commit(&batch).await.is_err_and(|error| UNKNOWN(&error)));
    owner.take(&[0]).await;
    assert_eq!(owner.backend.landed(&batch).await, Ok(vec![false]));
    assert!(!exists(&owner, 1).await);
    assert_eq!(owner.backend.store().late_commits(), LateCommits { pending: 0, landed: 0, refused: 1 });
    owner.create(id(0, 1)).await;
}

#[tokio::test]
async fn a_late_commit_of_a_dead_node_is_refused_once_its_partitions_are_taken() {
    let mut one = Owner::alone().await;
    let mut two = one.neighbour(2).await;
    assert!(create_under(&mut one, CommitFault::Late(LateAfter::Ms(NODE_TTL_MS + 1)), 1).await.is_err());
    one.clock.advance(NODE_TTL_MS);
    two.backend.heartbeat_node(two.node, NODE_TTL_MS).await.unwrap();
    assert_eq!(two.backend.bury_node(one.node, false).await, Ok(true));
    assert_eq!(two.take(&[0, 1]).await, [0, 1]);
    one.clock.advance(1);
    assert!(!exists(&two, 1).await);
    assert_eq!(two.backend.store().late_commits().refused, 1);
}

#[tokio::test]
async fn a_late_commit_is_refused_where_a_repeat_of_it_was_applied() {
    let mut owner = Owner::alone().await;
    assert!(create_under(&mut owner, CommitFault::Late(LateAfter::Calls(3)), 1).await.is_err());
    owner.create(id(0, 1)).await;
    assert!(exists(&owner, 1).await);
    assert!(exists(&owner, 1).await);
    assert_eq!(owner.backend.store().late_commits().refused, 1);
}

#[tokio::test]
async fn a_permanent_fault_writes_nothing() {
    let mut owner = Owner::alone().await;
    let outcome = create_under(&mut owner, CommitFault::Permanent, 1).await;
    assert!(matches!(outcome, Err(StoreError::Permanent { .. })));
    assert!(!exists(&owner, 1).await);
}

#[tokio::test]
async fn a_poisoned_execution_keeps_every_batch_out_that_changes_it() {
    let mut owner = Owner::alone().await;
    owner.create(id(0, 1)).await;
    owner.create(id(1, 1)).await;
    owner.backend.faults().poison(id(0, 1));
    let poisoned = owner.decided(ChangePriority { execution_id: id(0, 1), new_priority: 7 }).await;
    let other = owner.decided(ChangePriority { execution_id: id(1, 1), new_priority: 7 }).await;
    let both = owner.batch(vec![owner.part(0, poisoned.clone()), owner.part(1, other.clone())]);
    for _ in 0..2 {
        assert!(matches!(owner.backend.commit(&both).await, Err(StoreError::Permanent { .. })));
    }
    // The same uuid in another partition is another execution.
    assert_eq!(owner.commit(1, other).await, Ok(PartOutcome::Applied));
    owner.create(id(0, 2)).await;
    owner.backend.faults().cure(id(0, 1));
    assert_eq!(owner.commit(0, poisoned).await, Ok(PartOutcome::Applied));
}

#[tokio::test]
async fn a_slow_commit_is_applied_before_or_after_the_wait() {
    for (fault, applied_at_once) in [(CommitFault::DelayBefore(50), false), (CommitFault::DelayAfter(50), true)] {
        let owner = Owner::alone().await;
        let part = owner.part(0, owner.decided(creation(id(0, 1), "default")).await);
        let (batch, backend) = (owner.batch(vec![part]), owner.backend.clone());
        owner.backend.faults().next_commit(fault);
        let commit = tokio::spawn(async move { backend.commit(&batch).await });
        tokio::task::yield_now().await;
        assert_eq!(exists(&owner, 1).await, applied_at_once);
        owner.clock.advance(49);
        tokio::task::yield_now().await;
        assert!(!commit.is_finished());
        owner.clock.advance(1);
        assert_eq!(commit.await.unwrap(), Ok(vec![PartOutcome::Applied]));
        assert!(exists(&owner, 1).await);
    }
}

#[tokio::test]
async fn a_slow_commit_is_refused_when_a_takeover_overtakes_it() {
    let mut owner = Owner::alone().await;
    let part = owner.part(0, owner.decided(creation(id(0, 1), "default")).await);
    let (batch, backend) = (owner.batch(vec![part]), owner.backend.clone());
    owner.backend.faults().next_commit(CommitFault::DelayBefore(50));
    let commit = tokio::spawn(async move { backend.commit(&batch).await });
    tokio::task::yield_now().await;
    owner.take(&[0]).await;
    owner.clock.advance(50);
    assert_eq!(commit.await.unwrap(), Ok(vec![PartOutcome::Refused]));
}

#[tokio::test]
async fn a_crashed_node_is_reported_and_hears_nothing_more() {
    for (point, applied) in [(CrashPoint::BeforeCommit, false), (CrashPoint::AfterCommit, true)] {
        let owner = Owner::alone().await;
        let next = owner.neighbour(2).await;
        let part = owner.part(0, owner.decided(creation(id(0, 1), "default")).await);
        let (batch, backend) = (owner.batch(vec![part]), owner.backend.clone());
        owner.backend.faults().next_commit(CommitFault::Crash(point));
        let commit = tokio::spawn(async move { backend.commit(&batch).await });
        assert_eq!(owner.backend.faults().crashed().await, Crash { node: owner.node, point });
        let backend = owner.backend.clone();
        let ping = tokio::spawn(async move { backend.ping().await });
        tokio::task::yield_now().await;
        assert!(!commit.is_finished() && !ping.is_finished());
        commit.abort();
        ping.abort();
        assert_eq!(exists(&next, 1).await, applied);
        assert_eq!(owner.backend.faults().take_crash(), None);
    }
}

#[tokio::test]
async fn a_lost_heartbeat_buries_the_node() {
    let owner = Owner::alone().await;
    owner.backend.faults().next_heartbeat(HeartbeatFault::Lost);
    assert_eq!(owner.backend.heartbeat_node(owner.node, NODE_TTL_MS).await, Ok(None));
    assert_eq!(owner.backend.heartbeat_node(owner.node, NODE_TTL_MS).await, Ok(None));
    assert!(owner.backend.nodes().await.unwrap()[0].dead);
}

#[tokio::test]
async fn a_busy_heartbeat_renews_nothing() {
    let owner = Owner::alone().await;
    owner.clock.advance(NODE_TTL_MS - 1);
    owner.backend.faults().next_heartbeat(HeartbeatFault::Busy);
    let heartbeat = owner.backend.heartbeat_node(owner.node, NODE_TTL_MS).await;
    assert!(matches!(heartbeat, Err(StoreError::Busy { .. })));
    assert_eq!(owner.backend.heartbeat_node(owner.node, NODE_TTL_MS).await, Ok(Some(owner.clock.now())));
}

#[tokio::test]
async fn a_slow_heartbeat_counts_from_its_arrival() {
    let owner = Owner::alone().await;
    owner.backend.faults().next_heartbeat(HeartbeatFault::Delay(NODE_TTL_MS));
    let (backend, node) = (owner.backend.clone(), owner.node);
    let heartbeat = tokio::spawn(async move { backend.heartbeat_node(node, NODE_TTL_MS).await });
    tokio::task::yield_now().await;
    owner.clock.advance(NODE_TTL_MS);
    assert_eq!(heartbeat.await.unwrap(), Ok(None));
}

#[tokio::test]
async fn reads_and_ownership_fail_apart_from_each_other() {
    let owner = Owner::alone().await;
    owner.backend.faults().next_read(CallFault::Busy);
    owner.backend.faults().next_ownership(CallFault::Lost);
    let take = owner.backend.take_partitions(owner.node, 9, &[0], 0).await;
    assert!(take.is_err_and(|error| UNKNOWN(&error)));
    assert!(matches!(owner.backend.list_executions(0, None, 10).await, Err(StoreError::Busy { .. })));
    assert_eq!(owner.backend.list_executions(0, None, 10).await, Ok(Vec::new()));
    let stale = owner.part(0, leasehold_core::decision::ChangeSet::default());
    let outcome = owner.backend.commit(&owner.batch(vec![stale])).await;
    assert_eq!(outcome, Ok(vec![PartOutcome::Refused]), "the take whose answer was lost took place");
    assert_eq!(owner.backend.faults().injected(), [("ownership_lost", 1), ("read_busy", 1)].into());
}

#[tokio::test]
async fn a_slow_read_shows_the_store_as_it_is_when_it_arrives() {
    let mut owner = Owner::alone().await;
    owner.backend.faults().next_read(CallFault::Delay(10));
    let backend = owner.backend.clone();
    let list = tokio::spawn(async move { backend.list_executions(0, None, 10).await });
    tokio::task::yield_now().await;
    owner.create(id(0, 1)).await;
    owner.clock.advance(10);
    assert_eq!(list.await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn scripted_faults_wait_for_the_commits_that_pass_first() {
    let mut owner = Owner::alone().await;
    owner.backend.faults().pass_commits(2);
    owner.backend.faults().next_commit(CommitFault::Busy);
    let mut outcomes = Vec::new();
    for number in 1..=4 {
        let changes = owner.decided(creation(id(0, number), "default")).await;
        outcomes.push(owner.commit(0, changes).await.is_ok());
    }
    assert_eq!(outcomes, [true, true, false, true]);
}

/// Which of 200 commits failed how, by chance.
async fn chances(seed: u64, rates: Rates) -> (Vec<String>, Owner) {
    let mut owner = Owner::alone().await;
    owner.backend.faults().random(rates, Arc::new(SeededEntropy::new(seed)));
    let mut outcomes = Vec::new();
    for number in 1..=200 {
        let changes = owner.decided(creation(id(0, number), "default")).await;
        let outcome = owner.commit(0, changes).await;
        if outcome.is_err() {
            owner.take(&[0]).await;
        }
        outcomes.push(format!("{outcome:?}"));
    }
    (outcomes, owner)
}

#[tokio::test]
async fn the_same_seed_brings_the_same_faults() {
    let rates = Rates { commit_busy: 0.1, commit_lost: 0.1, commit_late: 0.1, ..Rates::NONE };
    let (one, owner) = chances(7, rates).await;
    let (two, _) = chances(7, rates).await;
    assert_eq!(one, two);
    assert_ne!(one, chances(8, rates).await.0);
    let injected = owner.backend.faults().injected();
    for kind in ["commit_busy", "commit_lost", "commit_late"] {
        let count = injected.get(kind).copied().unwrap_or_default();
        assert!((5..50).contains(&count), "{injected:?}");
    }
    owner.backend.faults().calm();
    let calmed = owner.backend.faults().injected();
    for _ in 0..100 {
        owner.backend.ping().await.unwrap();
    }
    assert_eq!(calmed, injected);
}

#[tokio::test]
async fn without_rates_chance_does_nothing() {
    let (outcomes, owner) = chances(1, Rates::default()).await;
    assert!(outcomes.iter().all(|outcome| outcome == "Ok(Applied)"));
    assert_eq!(owner.backend.faults().injected(), [].into());
}
