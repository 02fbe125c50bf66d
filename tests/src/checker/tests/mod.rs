//! The checker finds what it looks for, and nothing else.

mod broken;
mod flows;
mod workbench;

use super::contents::{Contents, Global, Pages, read_global};
use super::{Assumptions, Report, Rule, check_store, check_store_assuming, indexes, records};
use leasehold_core::command::{ChangePriority, FailExecution};
use std::sync::Arc;
use workbench::{Workbench, alter, cancellation, completion, delay, failure, promotion, renewal, replay, revocation};

/// What the checker says of a store that was written like this.
async fn told(story: impl AsyncFnOnce(&mut Workbench)) -> Report {
    let mut bench = Workbench::new().await;
    story(&mut bench).await;
    bench.check().await
}

/// For each rule a store that is written so as to break it.
macro_rules! broken_by {
    ($($name:ident: $rule:ident, $story:expr;)+) => {
        $(#[tokio::test]
        async fn $name() {
            let report = super::told($story).await;
            assert!(report.broken().contains(&Rule::$rule), "{report:?}");
        })+

        /// The rules that are broken here.
        pub(super) const BROKEN: &[Rule] = &[$(Rule::$rule),+];
    };
}

use broken_by;

#[test]
fn every_rule_is_broken_by_some_test() {
    // The memory store cannot be made to turn its pages wrongly.
    let elsewhere = [Rule::PageOrder, Rule::EventOrder];
    let tested = |rule: &&Rule| [broken::BROKEN, flows::BROKEN, &elsewhere].iter().any(|rules| rules.contains(rule));
    assert_eq!(Rule::ALL.iter().find(|rule| !tested(rule)), None);
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn an_empty_store_is_sound() {
    let bench = Workbench::new().await;
    let report = is_send(check_store(&bench.backend, 1)).await;
    report.assert_sound();
    assert_eq!((report.executions, report.events), (0, 0));
}

#[tokio::test]
async fn a_store_written_by_the_rules_is_sound_at_every_step() {
    let mut bench = Workbench::new().await;
    let ready = bench.created().await;
    bench.run(ChangePriority { execution_id: ready, new_priority: 9 }).await;
    bench.check().await.assert_sound();

    let first = bench.ready_for_retry().await;
    bench.check().await.assert_sound();
    let second = bench.claimed(first.execution_id).await;
    bench.run(delay(&second)).await;
    bench.clock.advance(10);
    bench.run(promotion(second.execution_id)).await;
    bench.check().await.assert_sound();
    let third = bench.claimed(second.execution_id).await;
    assert_eq!((second.attempt_index, second.attempt_id), (third.attempt_index, third.attempt_id));
    bench.run(revocation(third.execution_id)).await;
    bench.check().await.assert_sound();
    let fourth = bench.claimed(third.execution_id).await;
    bench.run(completion(&fourth)).await;
    bench.check().await.assert_sound();

    bench.run(replay(fourth.execution_id)).await;
    bench.check().await.assert_sound();
    let fifth = bench.claimed(fourth.execution_id).await;
    bench.run(renewal(&fifth)).await;
    bench.run(cancellation(fifth.execution_id)).await;
    let lapsed = bench.lapsed().await;
    bench.check().await.assert_sound();
    bench.claimed(lapsed.execution_id).await;
    let unclaimed = bench.created().await;
    bench.run(cancellation(unclaimed)).await;
    let report = bench.check().await;
    report.assert_sound();
    assert_eq!(report.executions, 4);
}

#[tokio::test]
async fn a_store_of_several_pages_is_read_to_its_end() {
    let mut bench = Workbench::new().await;
    for _ in 0..250 {
        bench.completed().await;
        bench.running().await;
    }
    let report = bench.check().await;
    report.assert_sound();
    assert_eq!((report.executions, report.events), (500, 750));
}

#[test]
#[should_panic(expected = "Event ids ascend.")]
fn an_unsound_report_names_the_broken_rule() {
    let mut report = Report::default();
    report.add(None, Rule::EventOrder, "2 after 3");
    report.assert_sound();
}

#[tokio::test]
async fn retries_beyond_the_stored_policy_pass_where_failures_may_bring_their_own() {
    let mut bench = Workbench::new().await;
    let claimed = bench.running().await;
    let stubborn = FailExecution { retry_policy_json: Some(r#"{"max_retries":9}"#.to_owned()), ..failure(&claimed) };
    bench.run_but(stubborn, |set| alter(set, |execution| execution.retry_count = 4)).await;
    let lenient = Assumptions { stored_retry_policy_binds: false };
    let report = check_store_assuming(&bench.backend, 1, lenient).await;
    assert!(!report.broken().contains(&Rule::RetryCap), "{report:?}");
}

fn turn(entries: &[&[i64]]) -> (Vec<i64>, Report) {
    let mut report = Report::default();
    let mut pages = Pages::new(Rule::EventOrder, "entries", i64::clone);
    let mut rest = entries.iter();
    while pages.more() {
        pages.add(Ok(rest.next().map(|page| page.to_vec()).unwrap_or_default()), &mut report);
    }
    (pages.into_all(), report)
}

#[test]
fn pages_are_put_together_in_order() {
    let (read, report) = turn(&[&[1, 2], &[5], &[7]]);
    assert_eq!(read, [1, 2, 5, 7]);
    report.assert_sound();
}

#[test]
fn entries_out_of_order_break_the_rule_of_what_is_read() {
    let (_, report) = turn(&[&[1, 3, 2, 4]]);
    assert_eq!(report.broken(), [Rule::EventOrder].into());
}

#[test]
fn a_page_that_makes_no_headway_ends_the_reading() {
    let (read, report) = turn(&[&[1, 2], &[1, 2], &[1, 2]]);
    assert_eq!(read, [1, 2, 1, 2]);
    assert_eq!(report.broken(), [Rule::EventOrder].into());
}

#[test]
fn a_page_that_is_too_long_is_noted() {
    let long: Vec<i64> = (0..200).collect();
    let (read, report) = turn(&[&long]);
    assert_eq!(read.len(), 200);
    assert_eq!(report.broken(), [Rule::PageOrder].into());
}

/// The memory store's scans show the records themselves; what a store does
/// that keeps columns beside them is tried on altered contents.
async fn misread(alter: impl FnOnce(&mut Contents, &mut Global)) -> Report {
    let mut bench = Workbench::new().await;
    let failed = bench.ready_for_retry().await;
    bench.claimed(failed.execution_id).await;
    let mut report = Report::default();
    let mut global = read_global(&bench.backend, &mut report).await;
    let mut contents = Contents::read(&bench.backend, 0, &mut report).await;
    alter(&mut contents, &mut global);
    records::check(&contents, Assumptions::default(), &mut report);
    indexes::check(&contents, &global, &mut report);
    report
}

#[tokio::test]
async fn a_scan_that_shows_another_version_is_found() {
    misread(|_, _| ()).await.assert_sound();
    let report = misread(|contents, _| Arc::make_mut(&mut contents.active[0]).priority = 9).await;
    assert_eq!(report.broken(), [Rule::ActiveScan].into());
}

#[tokio::test]
async fn a_lapsing_lease_listed_with_another_epoch_is_found() {
    let report = misread(|_, global| {
        for lease in global.lapsing.values_mut().flatten() {
            lease.lease_epoch = lease.lease_epoch.next();
        }
    })
    .await;
    assert_eq!(report.broken(), [Rule::LapseScan].into());
}

#[tokio::test]
async fn an_attempt_row_of_another_execution_is_found() {
    let report = misread(|contents, _| {
        for attempt in contents.executions.values_mut().flat_map(|stored| &mut stored.attempts) {
            Arc::make_mut(attempt).execution = 9;
        }
    })
    .await;
    assert_eq!(report.broken(), [Rule::AttemptRows].into());
}
