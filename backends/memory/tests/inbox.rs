//! The inbox of the simulation store.

mod support;

use leasehold_backend::{Backend, INBOX_PAGE_BYTES, PartOutcome};
use leasehold_core::command::{Admit, CreateExecution, Operation};
use leasehold_core::ids::ExecutionId;
use leasehold_core::inbox::encode;
use leasehold_memory::{MemoryBackend, MemoryStore, inbox};
use support::{Owner, clock, creation, id};

fn create(execution_id: ExecutionId) -> CreateExecution {
    creation(execution_id, "default")
}

#[tokio::test]
async fn a_store_without_outside_writers_has_no_inbox() {
    let store = MemoryStore::new();
    let backend = MemoryBackend::new(store.clone(), clock());
    assert!(backend.watch().is_none());
    let refused = inbox::create(&store, &create(id(1, 1))).unwrap_err();
    assert_eq!(refused.code(), "unavailable");
    assert_eq!(backend.inbox(None, 10).await.unwrap(), []);
    assert_eq!(backend.inbox_of(id(1, 1)).await.unwrap(), None);
}

#[tokio::test]
async fn entries_are_paged_by_number_and_found_by_execution() {
    let store = MemoryStore::new().with_outside_writers();
    let backend = MemoryBackend::new(store.clone(), clock());
    let all: Vec<CreateExecution> = (1..=5).map(|number| create(id(number % 2, number.into()))).collect();
    for create in &all {
        assert_eq!(inbox::create(&store, create), Ok(create.execution_id));
    }
    let first = backend.inbox(None, 2).await.unwrap();
    let rest = backend.inbox(Some(first[1].number), 10).await.unwrap();
    let found: Vec<_> = first.iter().chain(&rest).map(|entry| (entry.execution, entry.create.clone())).collect();
    let left: Vec<_> = all.iter().map(|create| (create.execution_id, encode(create).unwrap())).collect();
    assert_eq!(found, left);
    assert_eq!(backend.inbox(Some(rest[2].number), 10).await.unwrap(), []);
    assert_eq!(backend.inbox_of(all[3].execution_id).await.unwrap().as_ref(), Some(&rest[1]));
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_and_never_empty_before_the_end() {
    let store = MemoryStore::new().with_outside_writers();
    let backend = MemoryBackend::new(store.clone(), clock());
    for bytes in [INBOX_PAGE_BYTES + 1, INBOX_PAGE_BYTES, 1] {
        inbox::put(&store, id(0, 1), vec![0; bytes]);
    }
    let mut after = None;
    for _ in 0..3 {
        let page = backend.inbox(after, 10).await.unwrap();
        assert_eq!(page.len(), 1);
        after = Some(page[0].number);
    }
    assert_eq!(backend.inbox(after, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_commit_takes_the_entries_it_deals_with_and_a_refused_one_takes_none() {
    let store = MemoryStore::new().with_outside_writers();
    let mut owner = Owner::open(&store, clock(), 1).await;
    owner.take(&[1]).await;
    let args = create(id(1, 9));
    inbox::create(&store, &args).unwrap();
    let entry = owner.backend.inbox_of(args.execution_id).await.unwrap().unwrap();
    let admit = Admit::new(entry.number, args.execution_id, &entry.create).into_command();
    let changes = owner.decided_command(&admit).await;
    let mut stale = owner.part(1, changes.clone());
    stale.expected.nonce ^= 1;
    let refused = owner.backend.commit(&owner.batch(vec![stale])).await;
    assert_eq!(refused, Ok(vec![PartOutcome::Refused]));
    assert!(owner.backend.inbox_of(args.execution_id).await.unwrap().is_some());
    assert_eq!(owner.commit(1, changes).await, Ok(PartOutcome::Applied));
    assert_eq!(owner.backend.inbox_of(args.execution_id).await.unwrap(), None);
}

#[tokio::test]
async fn an_announcement_reaches_every_node() {
    let store = MemoryStore::new().with_outside_writers();
    let nodes = [MemoryBackend::new(store.clone(), clock()), MemoryBackend::new(store.clone(), clock())];
    let watching: Vec<_> = nodes.iter().map(|node| node.watch().unwrap()).collect();
    inbox::announce(&store);
    for mut hints in watching {
        hints.next().await;
    }
}
