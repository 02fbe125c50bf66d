//! Every operation in every situation: what it answers, or why it is refused.
//!
//! Each table names one default and the situations that differ from it.

mod claims;
mod holders;
mod keepers;

use crate::fixture::World;
use crate::situation::{self, Situation as S, Staged};
use leasehold_core::command::FenceTriple;
use leasehold_core::ids::ExecutionId;

type Row = (S, &'static str);

fn check(otherwise: &str, rows: &[Row], run: impl Fn(&mut World, ExecutionId, FenceTriple) -> String) {
    for &situation in situation::ALL {
        let expected = rows.iter().find(|(row, _)| *row == situation).map_or(otherwise, |(_, expected)| expected);
        let Staged { mut world, id, fence } = situation.stage();
        assert_eq!(run(&mut world, id, fence), expected, "{situation:?}");
    }
}

const NOT_FOUND: Row = (S::Missing, "execution_not_found");
