//! What stores keep of every kind of record, byte for byte: a store written
//! by one build is read by every later one.

use crate::fixture::{World, holder};
use crate::situation::{complete_args, fail_args};
use crate::waits::codec::hex;
use leasehold_core::codec::{decode, encode};
use leasehold_core::command::{Delay, PromoteDelayed, ReplayExecution};
use leasehold_core::event::Event;
use leasehold_core::record::{KeptKind, Record};
use std::collections::BTreeMap;
use std::fmt::Write;

/// One record of each kept kind, the first by name.
fn kept() -> BTreeMap<KeptKind, Record> {
    let worlds = [crate::waits::codec::rich(), crate::flow::codec::rich().0];
    let mut records: Vec<_> = worlds
        .iter()
        .flat_map(|world| world.records.values())
        .filter_map(|record| record.key().kept().map(|kept| (kept, record.clone())))
        .collect();
    records.sort_by(|a, b| a.0.cmp(&b.0));
    records.reverse();
    records.into_iter().map(|((kind, _), record)| (kind, record)).collect()
}

/// An attempt that another one followed, what an idempotency key stands for,
/// a lane, and events of several kinds.
fn others() -> (World, Vec<Event>) {
    let (mut w, id, _) = World::leased();
    let mut events = w.last.events.clone();
    let mut note = |w: &World| events.extend(w.last.events.iter().cloned());
    let details = w.suspend(id, |_| {});
    note(&w);
    w.deliver(id, details.primary.waitpoint_id, |_| {});
    note(&w);
    w.grant(id);
    let args = w.resume_args(id);
    let fence = w.run(args).unwrap().fence().into();
    note(&w);
    let delay_until = w.now.plus(1);
    w.run(Delay { execution_id: id, fence, source: holder(), delay_until }).unwrap();
    note(&w);
    w.pass(1);
    w.run(PromoteDelayed { execution_id: id }).unwrap();
    w.grant(id);
    let args = w.resume_args(id);
    let fence = w.run(args).unwrap().fence().into();
    w.run(fail_args(id, fence)).unwrap();
    note(&w);
    w.run(ReplayExecution { execution_id: id, requested_by: None, reason: None }).unwrap();
    note(&w);
    let fence = w.claim(id).fence().into();
    w.run(complete_args(id, fence)).unwrap();
    note(&w);
    w.create_with(|args| args.idempotency_key = Some("once".into()));
    (w, events)
}

#[test]
fn the_names_and_bytes_of_every_record_are_these() {
    let mut found = String::new();
    let mut line = |kind: &str, name: &str, bytes: &[u8]| writeln!(found, "{kind} {name} {}", hex(bytes)).unwrap();
    for (kind, record) in kept() {
        let name = record.key().kept().unwrap().1;
        let bytes = record.kept_bytes().unwrap().unwrap();
        line(record.key().kind(), &hex(&name), &bytes);
        assert_eq!(Record::from_kept(kind, &name, &bytes).unwrap(), record);
        assert_eq!(name[0], kind.byte());
    }
    let (w, events) = others();
    let mut records: Vec<_> = w.records.values().filter(|record| record.key().kept().is_none()).collect();
    records.sort_by_key(|record| record.key());
    let mut kinds = Vec::new();
    for record in records {
        match record {
            Record::Attempt(attempt) => line("attempt", "-", &encode(&**attempt).unwrap()),
            Record::Idempotency(idempotency) => line("idempotency", "-", &encode(&**idempotency).unwrap()),
            Record::Lane(lane) => line("lane", "-", &encode(&**lane).unwrap()),
            _ => continue,
        }
        kinds.push(record.key().kind());
    }
    assert_eq!(kinds, ["attempt", "idempotency", "lane"]);
    for event in &events {
        let bytes = encode(event).unwrap();
        line("event", "-", &bytes);
        assert_eq!(decode::<Event>(&bytes).unwrap(), *event);
    }
    assert_eq!(found, include_str!("golden/records-v1.txt"), "what stores hold has changed");
}

#[test]
fn every_kept_kind_is_there_and_only_four_are_listed() {
    let kinds: Vec<_> = kept().into_keys().collect();
    let bytes: Vec<u8> = kinds.iter().map(|kind| kind.byte()).collect();
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41]);
    let listed: Vec<_> = kinds.into_iter().filter(|kind| kind.is_listed()).collect();
    assert_eq!(listed, [KeptKind::Suspended, KeptKind::Flow, KeptKind::Continuation, KeptKind::PendingCancels]);
    for kind in listed {
        let (own, first) = kind.first().unwrap().kept().unwrap();
        assert_eq!(own, kind);
        assert!(first <= kept()[&kind].key().kept().unwrap().1, "nothing comes before the first");
    }
}

/// Walking the names of a kind gives the list in its order.
#[test]
fn the_names_of_the_suspended_sort_by_time_and_then_by_execution() {
    let mut w = World::keyed();
    for n in 0..12 {
        let id = w.create();
        w.claim(id);
        w.suspend(id, |_| {});
        w.pass(u64::from(n % 3 == 0));
    }
    let list = w.suspended_list();
    let names: Vec<_> = list
        .iter()
        .map(|entry| leasehold_core::record::WaitKey::Suspended(entry.since, entry.execution_id.uuid()))
        .map(|key| leasehold_core::record::RecordKey::from(key).kept().unwrap().1)
        .collect();
    assert!(names.is_sorted() && names.len() == 12);
}
