//! Every read of a page finds its rows through an index that has their order.

use super::{inbox, lists, ready, scans};
use crate::plan::{plan, scans_a_table, sorts};

#[tokio::test]
async fn pages_are_read_in_index_order_without_visiting_other_rows() {
    for (sql, constraint) in [
        (ready::GROUPS, "partition=? AND lane=? AND requirements>?"),
        (ready::LANE_GROUPS, "partition=? AND lane=? AND requirements>?"),
        (ready::READY, "partition=? AND lane=? AND requirements=? AND (score,id)>(?,?)"),
        (ready::RANKS, "partition=? AND lane=? AND requirements=?"),
        (scans::DUE, "partition=? AND (due_at,id)>(?,?)"),
        (scans::ACTIVE, "executions_active (partition=? AND id>?)"),
        (scans::KEPT, "partition=? AND name>? AND name<?"),
        (lists::EXECUTIONS, "executions_id (partition=? AND id>?)"),
        (lists::ATTEMPTS, "execution=? AND partition=? AND idx>?"),
        (lists::LANES, "lane>?"),
        (lists::EVENTS, "partition=? AND (epoch,number)>(?,?)"),
        (lists::INDEX, "partition=? AND id=?"),
        (inbox::OF, "inbox_execution (partition=? AND execution=?"),
    ] {
        let plan = plan(sql).await;
        assert!(!scans_a_table(&plan) && !sorts(&plan), "{sql}\n{plan:#?}");
        assert!(plan.iter().any(|line| line.contains(constraint)), "{sql}\n{plan:#?}");
    }
}

#[tokio::test]
async fn a_page_of_the_inbox_begins_where_the_last_one_ended() {
    let plan = plan(inbox::PAGE).await;
    assert!(!scans_a_table(&plan), "{plan:#?}");
    assert!(plan.iter().any(|line| line.contains("INTEGER PRIMARY KEY (rowid>?)")), "{plan:#?}");
}

#[tokio::test]
async fn expired_leases_are_looked_for_among_active_executions_only() {
    let plan = plan(lists::EXPIRED).await;
    assert!(plan.iter().any(|line| line.contains("executions_active")), "{plan:#?}");
}

#[tokio::test]
async fn records_and_blobs_are_loaded_by_their_keys() {
    for kind in super::load::Kind::ALL {
        let (head, tail) = kind.query();
        let row = format!("({})", vec!["?"; kind.columns()].join(","));
        let plan = plan(&format!("{head}{row},{row}{tail}")).await;
        assert!(!scans_a_table(&plan), "{plan:#?}");
    }
}
