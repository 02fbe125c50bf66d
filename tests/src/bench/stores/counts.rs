//! What a drain has written, counted by the store.
//!
//! | | SQLite | PostgreSQL | Valkey |
//! |---|---|---|---|
//! | commits | the node's row, the head that every commit advances | the same | the `seq` of the partitions' heads: a commit is a function call |
//! | statements | of the writing connection, `BEGIN` and `COMMIT` included | of all connections, held against the transactions the server counts | `FCALL` in the server's `commandstats` |
//! | bytes | what the process handed to the file system | what the server wrote to its log (WAL) | by how much the append-only file grew |
//! | round trips | to the connection's thread | to the server | pipelines |
//! | rows | triggers, in the writer's transactions | `pg_stat_user_tables` | the server's count of changes, which must be rows, index members and the three fields of each head |
//!
//! Round trips are the one thing that no store counts: they are the store
//! crate's own count. Rows are counted in a drain of its own that is not
//! timed; the heads of the nodes table are left out, one per commit. Where
//! the crate counts the same thing, both counts must agree.

use super::super::BenchResult;

/// Everything so far.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Counts {
    pub(in super::super) commits: f64,
    pub(in super::super) statements: f64,
    pub(in super::super) round_trips: f64,
    /// None where something was rewritten meanwhile, so that sizes cannot be
    /// compared.
    pub(in super::super) bytes: Option<f64>,
    /// None without a server.
    pub(in super::super) server_cpu_us: Option<f64>,
}

impl Counts {
    /// What has been added since.
    pub(in super::super) fn since(self, before: Self) -> Self {
        let both = |now: Option<f64>, before: Option<f64>| Some(now? - before?);
        Self {
            commits: self.commits - before.commits,
            statements: self.statements - before.statements,
            round_trips: self.round_trips - before.round_trips,
            bytes: both(self.bytes, before.bytes).filter(|bytes| *bytes >= 0.0),
            server_cpu_us: both(self.server_cpu_us, before.server_cpu_us),
        }
    }
}

/// Something that the store counts and its crate counts too.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Check {
    pub(in super::super) what: &'static str,
    pub(in super::super) by_store: f64,
    pub(in super::super) by_crate: f64,
    /// By how much they may differ, since heartbeats go on and the look
    /// itself is counted.
    pub(in super::super) slack: f64,
}

/// What the store has counted so far.
#[derive(Clone, Debug)]
pub(in super::super) struct Tally {
    /// Rows or keys written.
    pub(in super::super) rows: f64,
    /// Members of sorted sets beside them.
    pub(in super::super) members: Option<f64>,
    pub(in super::super) checks: Vec<Check>,
}

/// Rows, and members of sorted sets, between two tallies.
///
/// # Errors
///
/// When store and crate disagree.
pub(in super::super) fn checked_rows(before: &Tally, after: &Tally) -> BenchResult<(f64, Option<f64>)> {
    for (before, after) in before.checks.iter().zip(&after.checks) {
        let (store, told) = (after.by_store - before.by_store, after.by_crate - before.by_crate);
        if (store - told).abs() > after.slack {
            return Err(format!("{}: the store counted {store}, its crate {told}", after.what).into());
        }
    }
    let members = after.members.zip(before.members).map(|(after, before)| after - before);
    Ok((after.rows - before.rows, members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: f64, by_store: f64, by_crate: f64) -> Tally {
        Tally { rows, members: None, checks: vec![Check { what: "rows", by_store, by_crate, slack: 1.0 }] }
    }

    #[test]
    fn store_and_crate_must_agree_about_what_came_in_between() {
        let before = tally(10.0, 100.0, 7.0);
        assert_eq!(checked_rows(&before, &tally(15.0, 105.0, 12.0)).unwrap().0.to_string(), "5");
        assert!(checked_rows(&before, &tally(15.0, 106.0, 12.0)).is_ok());
        assert!(checked_rows(&before, &tally(15.0, 107.0, 12.0)).is_err());
    }

    #[test]
    fn a_size_that_shrank_says_nothing() {
        let of = |bytes| Counts { commits: 0.0, statements: 0.0, round_trips: 0.0, bytes, server_cpu_us: None };
        assert_eq!(of(Some(5.0)).since(of(Some(3.0))).bytes, Some(2.0));
        assert_eq!(of(Some(3.0)).since(of(Some(5.0))).bytes, None);
    }
}
