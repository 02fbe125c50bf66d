//! Records of suspensions and flows: one hash, and one sorted set of the names
//! of those kinds that are listed.

#[path = "support/servers.rs"]
mod servers;
mod support;
#[path = "support/kept.rs"]
mod the;

use leasehold_backend::{Backend, PAGE_MAX, StoreError};
use leasehold_backend_suite::create_command;
use leasehold_core::decision::Change;
use leasehold_core::ids::FlowId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::flow::FlowKey;
use leasehold_core::record::{BlobKey, BlobKind, KeptKind, Record, RecordKey, WaitKey};
use leasehold_core::time::TimestampMs;
use leasehold_redis::inspect::inspect;
use support::{Engine, Raw, Server, engine};
use the::{delete, put, replace, write};
use uuid::Uuid;

/// Every listed kind.
const LISTED: [KeptKind; 4] = [KeptKind::Suspended, KeptKind::Flow, KeptKind::Continuation, KeptKind::PendingCancels];

async fn load(engine: &Engine, partition: u16, keys: &[RecordKey]) -> Vec<Option<Record>> {
    engine.store.load(partition, keys, &[]).await.unwrap().records
}

async fn list(engine: &Engine, kind: KeptKind) -> Vec<Record> {
    engine.store.scan_kept(1, kind, None, usize::MAX).await.unwrap()
}

fn corruption<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    error.to_string()
}

/// The name of a record.
fn name(record: &Record) -> Vec<u8> {
    record.key().kept().unwrap().1
}

/// Records of many kinds, among them the shortest and the longest names.
fn many_kinds() -> Vec<Record> {
    vec![
        the::waits(1, 2),
        the::signal_bytes(1, (0..=255).cycle().take(300_000).collect()),
        the::signal_bytes(2, Vec::new()),
        the::signal_dedup("a"),
        the::signal_dedup("a\0{p2}\r\n é"),
        the::signal_dedup(&"k".repeat(100_000)),
        the::suspended(-5, 1),
        the::keyring(),
        the::flow(1, 1),
        the::summary(1),
        the::pending_cancels(1),
    ]
}

async fn kept_records_read_back_among_others_in_the_order_asked_for(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.created([1]).await[0];
    let records = many_kinds();
    write(&mut engine, 1, records.iter().map(put)).await;

    let mut keys: Vec<RecordKey> = records.iter().map(Record::key).collect();
    let mut expected: Vec<Option<Record>> = records.iter().cloned().map(Some).collect();
    for missing in [the::signal_dedup("aa").key(), FlowKey::Continuation(FlowId::from_uuid(Uuid::from_u128(1))).into()]
    {
        keys.insert(3, missing);
        expected.insert(3, None);
    }
    keys.insert(5, RecordKey::Execution(id.uuid()));
    expected.insert(5, Some(Record::Execution(engine.execution(id))));
    let blob = BlobKey { execution: id.uuid(), kind: BlobKind::Payload };
    let loaded = engine.store.load(1, &keys, &[blob]).await.unwrap();
    assert_eq!(loaded.records, expected);
    assert_eq!(loaded.blobs, [Some(create_command(id).input_payload)]);
    // Nothing of it is in another partition.
    keys.remove(5);
    assert!(load(&engine, 2, &keys).await.iter().all(Option::is_none));
}

async fn a_record_is_overwritten_deleted_and_made_again_under_its_name(server: Server) {
    let mut engine = engine(server).await;
    let (first, second) = (the::flow(1, 1), the::flow(1, 2));
    let (few, more) = (the::waits(1, 1), the::waits(1, 9));
    let keys = [first.key(), few.key()];
    write(&mut engine, 1, [put(&first), put(&few)]).await;
    write(&mut engine, 1, [replace(&first, &second), replace(&few, &more)]).await;
    assert_eq!(load(&engine, 1, &keys).await, [Some(second.clone()), Some(more.clone())]);
    assert_eq!(list(&engine, KeptKind::Flow).await, std::slice::from_ref(&second));

    write(&mut engine, 1, [delete(&second), delete(&more)]).await;
    assert_eq!(load(&engine, 1, &keys).await, [None, None]);
    assert_eq!(list(&engine, KeptKind::Flow).await, []);
    let mut raw = Raw::of(&engine, 1).await;
    let left: u64 = raw.run(redis::cmd("EXISTS").arg(raw.key(1, "kept")).arg(raw.key(1, "listed"))).await;
    assert_eq!(left, 0);

    write(&mut engine, 1, [put(&first)]).await;
    assert_eq!(list(&engine, KeptKind::Flow).await, [first]);
}

async fn what_comes_and_what_goes_fits_into_one_part(server: Server) {
    let mut engine = engine(server).await;
    let (old, new) = (the::suspended(1, 1), the::suspended(2, 1));
    write(&mut engine, 1, [put(&old)]).await;
    write(&mut engine, 1, [delete(&old), put(&new), put(&the::signal_dedup("a"))]).await;
    assert_eq!(list(&engine, KeptKind::Suspended).await, [new]);
    // Made and deleted within one batch: the store never sees it.
    let gone = the::suspended(3, 1).key();
    let nothing = Change { key: gone.clone(), old: None, new: None };
    write(&mut engine, 1, [nothing]).await;
    assert_eq!(load(&engine, 1, &[gone]).await, [None]);
}

async fn a_listed_kind_comes_by_name_page_by_page(server: Server) {
    let mut engine = engine(server).await;
    let places = [(i64::MIN, 4), (-1, 2), (0, 1), (0, 3), (1_800_000_000_000, 0), (i64::MAX, 1)];
    let expected: Vec<Record> = places.map(|(since, number)| the::suspended(since, number)).to_vec();
    write(&mut engine, 1, expected.iter().rev().map(put)).await;
    let store = &engine.store;
    let mut found: Vec<Record> = Vec::new();
    for length in [4, 2, 0] {
        let after = found.last().map(Record::key);
        let page = store.scan_kept(1, KeptKind::Suspended, after.as_ref(), 4).await.unwrap();
        assert_eq!(page.len(), length);
        found.extend(page);
    }
    assert_eq!(found, expected);
    // A place need not exist.
    let beside = RecordKey::Wait(WaitKey::Suspended(TimestampMs(0), Uuid::from_u128(2)));
    let rest = store.scan_kept(1, KeptKind::Suspended, Some(&beside), 1).await.unwrap();
    assert_eq!(rest, expected[3..4]);
    assert_eq!(store.scan_kept(1, KeptKind::Suspended, None, 0).await.unwrap(), []);
}

async fn no_page_is_longer_than_the_longest_and_a_part_may_write_several(server: Server) {
    let mut engine = engine(server).await;
    let count = 2 * PAGE_MAX + 300;
    let expected: Vec<Record> = (0..count).map(|at| the::flow(at as u128, 1)).collect();
    write(&mut engine, 1, expected.iter().map(put)).await;
    let mut found = Vec::new();
    for length in [PAGE_MAX, PAGE_MAX, 300, 0] {
        let after = found.last().map(Record::key);
        let page = engine.store.scan_kept(1, KeptKind::Flow, after.as_ref(), usize::MAX).await.unwrap();
        assert_eq!(page.len(), length);
        found.extend(page);
    }
    assert!(found == expected);
    write(&mut engine, 1, expected.iter().map(delete)).await;
    assert_eq!(list(&engine, KeptKind::Flow).await, []);
}

async fn kinds_and_partitions_do_not_mix(server: Server) {
    let mut engine = engine(server).await;
    write(&mut engine, 1, many_kinds().iter().map(put)).await;
    let elsewhere = [the::flow(2, 1), the::suspended(9, 9)];
    write(&mut engine, 2, elsewhere.iter().map(put)).await;
    assert_eq!(list(&engine, KeptKind::Suspended).await, [the::suspended(-5, 1)]);
    assert_eq!(list(&engine, KeptKind::Flow).await, [the::flow(1, 1)]);
    assert_eq!(list(&engine, KeptKind::Continuation).await, []);
    assert_eq!(list(&engine, KeptKind::PendingCancels).await, [the::pending_cancels(1)]);
    let two = engine.store.scan_kept(2, KeptKind::Flow, None, 10).await.unwrap();
    assert_eq!(two, elsewhere[..1]);
    assert_eq!(engine.store.scan_kept(3, KeptKind::Flow, None, 10).await.unwrap(), []);
}

async fn a_kind_that_is_not_listed_and_a_place_of_another_kind_are_refused(server: Server) {
    let engine = engine(server).await;
    for kind in [KeptKind::Waits, KeptKind::SignalDedup, KeptKind::Member] {
        let refused = engine.store.scan_kept(1, kind, None, 10).await;
        assert!(matches!(refused, Err(StoreError::Permanent { .. })), "{refused:?}");
    }
    let place = the::suspended(1, 1).key();
    for kind in LISTED {
        let answer = engine.store.scan_kept(1, kind, Some(&place), 10).await;
        match kind {
            KeptKind::Suspended => assert_eq!(answer.unwrap(), []),
            _ => assert!(matches!(answer, Err(StoreError::Permanent { .. })), "{answer:?}"),
        }
    }
}

async fn only_what_is_listed_costs_a_member(server: Server) {
    let mut engine = engine(server).await;
    let records = many_kinds();
    let members = records.iter().filter(|record| record.key().kept().unwrap().0.is_listed()).count();
    let counts = |engine: &Engine| {
        let stats = engine.store.stats();
        (stats.keys_written, stats.index_entries_written)
    };
    let (rows, entries) = counts(&engine);
    write(&mut engine, 1, records.iter().map(put)).await;
    let (rows, entries) = (counts(&engine).0 - rows, counts(&engine).1 - entries);
    assert_eq!((rows, entries), (records.len() as u64, members as u64));

    let before = counts(&engine);
    write(&mut engine, 1, records.iter().map(|record| replace(record, record))).await;
    assert_eq!(counts(&engine), (before.0 + rows, before.1));

    let report = inspect(engine.options.clone(), &PartitionConfig::default(), true).await.unwrap();
    let keys = report.keys.unwrap();
    assert_eq!((keys.strays, keys.complete), (0, true));
    for (end, shape, entries) in [(":kept", "hash", rows), (":listed", "sorted set", entries)] {
        let count = keys.counts.iter().find(|count| count.name.ends_with(end)).unwrap();
        assert_eq!((count.shape, count.keys, count.entries), (shape, 1, entries));
    }
}

async fn a_commit_of_kept_records_alone_is_found_to_have_landed(server: Server) {
    let mut engine = engine(server).await;
    let batch = engine.batch(vec![(1, the::set([put(&the::waits(1, 1))])), (2, the::set([put(&the::flow(1, 1))]))]);
    engine.store.take_partitions(engine.node, 99, &[2], 0).await.unwrap();
    engine.send(&batch).await.unwrap();
    engine.take(&[1, 2]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true, false]);
    assert_eq!(engine.store.scan_kept(2, KeptKind::Flow, None, 10).await.unwrap(), []);
}

/// Puts bytes under the name of a record, past the engine.
async fn damage(raw: &mut Raw, record: &Record, bytes: &[u8]) {
    let key = raw.key(1, "kept");
    raw.run::<()>(redis::cmd("HSET").arg(key).arg(name(record)).arg(bytes)).await;
}

async fn damaged_and_misplaced_records_are_corruption_and_show_no_bytes(server: Server) {
    let mut engine = engine(server).await;
    let (listed, other, ring) = (the::flow(1, 1), the::flow(2, 1), the::keyring());
    write(&mut engine, 1, [put(&listed), put(&other), put(&ring)]).await;
    let mut raw = Raw::of(&engine, 1).await;
    let of = |record: &Record| record.kept_bytes().unwrap().unwrap();
    let mut longer = of(&listed);
    longer.push(0);
    for bytes in [Vec::new(), vec![1, 255], of(&listed)[..9].to_vec(), longer, of(&other), of(&the::summary(1))] {
        damage(&mut raw, &listed, &bytes).await;
        for message in [
            corruption(engine.store.load(1, &[other.key(), listed.key()], &[]).await),
            corruption(engine.store.scan_kept(1, KeptKind::Flow, None, 10).await),
        ] {
            assert!(message.contains("kept[1/Flow/"), "{message}");
        }
        // The others can be read.
        assert_eq!(load(&engine, 1, &[other.key()]).await, [Some(other.clone())]);
        let rest = engine.store.scan_kept(1, KeptKind::Flow, Some(&listed.key()), 10).await.unwrap();
        assert_eq!(rest, std::slice::from_ref(&other));
    }
    // A secret under a name that is not its own stays unspoken.
    let secret = "5a".repeat(32);
    let mut unreadable = of(&ring);
    unreadable.push(0);
    for (place, bytes) in [(&ring, unreadable), (&listed, of(&ring))] {
        damage(&mut raw, place, &bytes).await;
        let message = corruption(engine.store.load(1, &[place.key()], &[]).await);
        assert!(!message.contains(&secret) && !message.contains("ZZZZ") && !message.contains("90, 90"), "{message}");
    }
}

async fn a_listed_name_without_its_record_is_corruption(server: Server) {
    let mut engine = engine(server).await;
    let (first, second) = (the::suspended(1, 1), the::suspended(2, 2));
    write(&mut engine, 1, [put(&first), put(&second)]).await;
    let mut raw = Raw::of(&engine, 1).await;
    let (kept, listed) = (raw.key(1, "kept"), raw.key(1, "listed"));
    raw.run::<()>(redis::cmd("HDEL").arg(&kept).arg(name(&second))).await;
    corruption(engine.store.scan_kept(1, KeptKind::Suspended, None, 10).await);
    let page = engine.store.scan_kept(1, KeptKind::Suspended, None, 1).await.unwrap();
    assert_eq!(page, std::slice::from_ref(&first));

    // Names that are no name of the kind, one of them with a true one at its
    // end.
    raw.run::<()>(redis::cmd("ZREM").arg(&listed).arg(name(&second))).await;
    let mut longer = vec![KeptKind::Suspended.byte(); 4];
    longer.extend(name(&first));
    for stray in [&name(&first)[..20], longer.as_slice()] {
        raw.run::<()>(redis::cmd("ZADD").arg(&listed).arg(0).arg(stray)).await;
        corruption(engine.store.scan_kept(1, KeptKind::Suspended, None, 10).await);
        raw.run::<()>(redis::cmd("ZREM").arg(&listed).arg(stray)).await;
    }
    assert_eq!(list(&engine, KeptKind::Suspended).await, [first]);
}

async fn a_partition_left_half_written_lists_nothing(server: Server) {
    let mut engine = engine(server).await;
    let mut raw = Raw::of(&engine, 1).await;
    let listed = raw.key(1, "listed");
    raw.run::<()>(redis::cmd("SET").arg(&listed).arg("not a sorted set")).await;
    // Without a name in the list nothing of that key is written.
    write(&mut engine, 1, [put(&the::waits(1, 1))]).await;
    let batch = engine.batch(vec![(1, the::set([put(&the::flow(1, 1))]))]);
    assert!(corruption(engine.send(&batch).await).contains("half written"));
    raw.run::<()>(redis::cmd("DEL").arg(&listed)).await;
    let message = corruption(engine.store.scan_kept(1, KeptKind::Flow, None, 10).await);
    assert!(message.contains("half written"), "{message}");
    assert!(corruption(engine.store.load(1, &[the::waits(1, 1).key()], &[]).await).contains("half written"));
}

servers::on_every_server!(
    kept_records_read_back_among_others_in_the_order_asked_for,
    a_record_is_overwritten_deleted_and_made_again_under_its_name,
    what_comes_and_what_goes_fits_into_one_part,
    a_listed_kind_comes_by_name_page_by_page,
    no_page_is_longer_than_the_longest_and_a_part_may_write_several,
    kinds_and_partitions_do_not_mix,
    a_kind_that_is_not_listed_and_a_place_of_another_kind_are_refused,
    only_what_is_listed_costs_a_member,
    a_commit_of_kept_records_alone_is_found_to_have_landed,
    damaged_and_misplaced_records_are_corruption_and_show_no_bytes,
    a_listed_name_without_its_record_is_corruption,
    a_partition_left_half_written_lists_nothing,
);
