//! Events of one commit share entries of the stream, which no reader sees.

#[path = "support/servers.rs"]
mod servers;
mod support;

use leasehold_backend::{Backend, LoggedEvent};
use leasehold_core::event::EventId;
use support::{Engine, Raw, Server, engine};

/// How many executions one commit changes: more than fit into two entries.
const MANY: usize = 150;

/// How many commits of one event follow.
const SINGLE: usize = 20;

/// A partition with entries of every length, and what is in it.
async fn written(server: Server) -> (Engine, Vec<LoggedEvent>) {
    let mut engine = engine(server).await;
    let ids = engine.created([1; MANY]).await;
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    engine.take(&[1]).await;
    for id in &ids[..SINGLE] {
        let complete = engine.complete(*id);
        engine.commit(vec![complete]).await;
    }
    let all = engine.store.read_events(1, None, 1000).await.unwrap();
    (engine, all)
}

async fn every_event_has_the_next_number_of_its_epoch(server: Server) {
    let (engine, all) = written(server).await;
    let numbers: Vec<u64> = all.iter().map(|event| event.id.number).collect();
    let expected: Vec<u64> = (1..=MANY as u64).chain(1..=SINGLE as u64).collect();
    assert_eq!(numbers, expected);
    assert!(all[..MANY].iter().all(|event| event.id.epoch == all[0].id.epoch));
    assert!(all[MANY..].iter().all(|event| event.id.epoch == engine.epochs[&1]));
}

async fn pages_of_every_length_from_every_place_are_the_same_events(server: Server) {
    let (engine, all) = written(server).await;
    for limit in [1, 7, 64, 100, 1000] {
        let mut after = None;
        let mut read = Vec::new();
        loop {
            let page = engine.store.read_events(1, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            read.extend(page);
        }
        assert_eq!(read, all, "pages of {limit}");
    }
    for (at, event) in all.iter().enumerate() {
        let next = engine.store.read_events(1, Some(event.id), 2).await.unwrap();
        assert_eq!(next, all[at + 1..].iter().take(2).cloned().collect::<Vec<_>>(), "after {:?}", event.id);
    }
    let before = EventId { epoch: all[0].id.epoch, number: 0 };
    assert_eq!(engine.store.read_events(1, Some(before), 1).await.unwrap(), all[..1]);
}

async fn a_commit_writes_an_entry_for_up_to_64_events(server: Server) {
    let (engine, all) = written(server).await;
    let mut raw = Raw::of(&engine, 1).await;
    let key = raw.key(1, "event");
    let entries: usize = raw.run(redis::cmd("XLEN").arg(&key)).await;
    assert_eq!(entries, MANY.div_ceil(64) + SINGLE);
    assert_eq!(all.len(), MANY + SINGLE);
}

servers::on_every_server!(
    every_event_has_the_next_number_of_its_epoch,
    pages_of_every_length_from_every_place_are_the_same_events,
    a_commit_writes_an_entry_for_up_to_64_events,
);
