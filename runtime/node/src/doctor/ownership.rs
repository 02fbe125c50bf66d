//! Who is there, and who holds what, on a store that several nodes may use.

use leasehold_backend::{Holdings, NodeRow};
use leasehold_cli::doctor::Finding;
use leasehold_core::time::TimestampMs;

/// How a node stands at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Live,
    Lapsed,
    Dead,
}

impl Standing {
    fn of(node: &NodeRow, now: TimestampMs) -> Self {
        match node {
            NodeRow { dead: true, .. } => Self::Dead,
            NodeRow { expires_at, .. } if *expires_at > now => Self::Live,
            _ => Self::Lapsed,
        }
    }
}

const START: &str = "start one with `leasehold serve`";

pub fn findings(holdings: &Holdings, now: TimestampMs) -> Vec<Finding> {
    let standing = |standing| holdings.nodes.iter().filter(move |node| Standing::of(node, now) == standing);
    let live = standing(Standing::Live).count();
    let lapsed = standing(Standing::Lapsed).count();
    let detail = format!("{live} live, {lapsed} lapsed, {} dead", standing(Standing::Dead).count());
    let nodes = if live == 0 {
        Finding::warning("nodes", format!("{detail}; nothing runs"), START)
    } else if lapsed > 0 {
        let remedy = "a lapsed node was ended by force, or cannot reach the store and has stopped by itself; a live \
                      one takes what it held. If it stays so, look at the nodes' logs";
        Finding::warning("nodes", detail, remedy)
    } else {
        Finding::ok("nodes", detail)
    };
    vec![nodes, partitions(holdings, now, live)]
}

fn partitions(holdings: &Holdings, now: TimestampMs, live_nodes: usize) -> Finding {
    let held: u32 = holdings.held.values().sum();
    let live = holdings.nodes.iter().filter(|node| Standing::of(node, now) == Standing::Live);
    let by_live: u32 = live.filter_map(|node| holdings.held.get(&node.node)).sum();
    let total = held + holdings.free;
    if by_live == total {
        return Finding::ok("partitions", format!("all {total} are held by live nodes"));
    }
    let detail = format!(
        "{by_live} of {total} are held by live nodes, {} by nodes that lapsed or are dead, {} by nobody",
        held - by_live,
        holdings.free
    );
    let remedy = match live_nodes {
        0 => START,
        _ => "live nodes take the others within the time of a lease; if it stays so, look at their logs",
    };
    Finding::warning("partitions", detail, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_cli::doctor::Verdict;
    use leasehold_core::ids::NodeId;

    const NOW: TimestampMs = TimestampMs(1_000);

    fn node(number: u64, expires_at: i64, dead: bool) -> NodeRow {
        NodeRow { node: id(number), expires_at: TimestampMs(expires_at), dead }
    }

    fn id(number: u64) -> NodeId {
        format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
    }

    #[test]
    fn nodes_and_partitions_are_counted_by_how_they_stand() {
        let (live, lapsed, dead) = (node(1, 1_001, false), node(2, 1_000, false), node(3, 9_000, true));
        let held = |counts: &[(u64, u32)]| counts.iter().map(|(node, count)| (id(*node), *count)).collect();
        for (nodes, counts, free, verdicts, told) in [
            (vec![live.clone()], &[(1, 8)][..], 0, [Verdict::Ok, Verdict::Ok], ["1 live, 0 lapsed, 0 dead", "all 8"]),
            (vec![live.clone(), dead.clone()], &[(1, 8)], 0, [Verdict::Ok, Verdict::Ok], ["1 dead", "all 8"]),
            (
                vec![live.clone(), lapsed.clone()],
                &[(1, 4), (2, 3)],
                1,
                [Verdict::Warning, Verdict::Warning],
                ["1 live, 1 lapsed", "4 of 8 are held by live nodes, 3 by nodes that lapsed or are dead, 1 by nobody"],
            ),
            (
                vec![live, dead],
                &[(1, 4), (3, 2), (9, 2)],
                0,
                [Verdict::Ok, Verdict::Warning],
                ["1 live, 0 lapsed, 1 dead", "4 of 8 are held by live nodes, 4 by nodes"],
            ),
            (
                vec![lapsed],
                &[(2, 8)],
                0,
                [Verdict::Warning, Verdict::Warning],
                ["0 live, 1 lapsed, 0 dead; nothing runs", "0 of 8"],
            ),
            (vec![], &[], 8, [Verdict::Warning, Verdict::Warning], ["nothing runs", "0 of 8"]),
        ] {
            let found = findings(&Holdings { nodes, held: held(counts), free }, NOW);
            for ((found, verdict), told) in found.iter().zip(verdicts).zip(told) {
                assert_eq!(found.verdict, verdict, "{found:?}");
                assert!(found.detail.contains(told), "{found:?}");
                assert_eq!(found.remedy.is_empty(), verdict == Verdict::Ok, "{found:?}");
            }
        }
    }
}
