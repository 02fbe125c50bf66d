//! A named queue, as one partition knows it.

use crate::ids::LaneId;
use crate::state::LaneState;
use crate::time::TimestampMs;

/// A lane seen by a partition.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Lane {
    /// Its name.
    pub lane_id: LaneId,
    /// What it accepts and gives out.
    pub state: LaneState,
    /// When this partition first saw it.
    pub registered_at: TimestampMs,
}
