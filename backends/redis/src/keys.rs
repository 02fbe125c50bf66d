//! Names of keys, fields and members.
//!
//! Everything of a partition carries the same hash tag, so that a Cluster
//! keeps it on one primary. Members of sorted sets have the score 0 and are
//! ordered as bytes: numbers are 8 bytes, most significant first, with the
//! sign turned, which orders every `i64` exactly; a score is a double and
//! does not.

use leasehold_backend::{ReadyGroup, StoreError, StoreResult};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::LaneId;
use leasehold_core::index::{self, Queue};
use leasehold_core::record::{AttemptKey, BlobKey, BlobKind, Execution, IdempotencyKey, KeptKind, RecordKey};
use leasehold_core::time::TimestampMs;
use uuid::Uuid;

/// A kind of key within a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Hash: owner, epoch, nonce, seq, time and what was before.
    Head,
    /// Hash: executions by id.
    Execution,
    /// Sorted set: ids of all executions.
    Ids,
    /// Sorted set: what is ready, active or due.
    Index,
    /// Hash: payloads and large results.
    Blob,
    /// Stream: events.
    Event,
    /// Hash: attempts that others followed.
    Attempt,
    /// Sorted set: their ids.
    Attempts,
    /// Hash: idempotency keys.
    Idempotency,
    /// Hash: lanes.
    Lane,
    /// Sorted set: their names.
    Lanes,
    /// Hash: records of suspension and of flows, by the names the core gives
    /// them.
    Kept,
    /// Sorted set: the names of those kinds that are listed.
    Listed,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 13] = [
        Self::Head,
        Self::Execution,
        Self::Ids,
        Self::Index,
        Self::Blob,
        Self::Event,
        Self::Attempt,
        Self::Attempts,
        Self::Idempotency,
        Self::Lane,
        Self::Lanes,
        Self::Kept,
        Self::Listed,
    ];

    /// How the key ends.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Execution => "execution",
            Self::Ids => "ids",
            Self::Index => "index",
            Self::Blob => "blob",
            Self::Event => "event",
            Self::Attempt => "attempt",
            Self::Attempts => "attempts",
            Self::Idempotency => "idempotency",
            Self::Lane => "lane",
            Self::Lanes => "lanes",
            Self::Kept => "kept",
            Self::Listed => "listed",
        }
    }
}

/// The names of a store's keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// A key of a partition.
    pub(crate) fn of(&self, partition: u16, kind: Kind) -> Vec<u8> {
        format!("{}:{{p{partition}}}:{}", self.prefix, kind.as_str()).into_bytes()
    }

    /// What the store was set up for.
    pub(crate) fn meta(&self) -> Vec<u8> {
        format!("{}:{{s}}:meta", self.prefix).into_bytes()
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> Vec<u8> {
        format!("{}:{{s}}:nodes", self.prefix).into_bytes()
    }
}

/// The text a Cluster places a partition's keys by.
pub(crate) fn tag_of(partition: u16) -> String {
    format!("p{partition}")
}

/// The text a Cluster places the store's own keys by.
pub(crate) const SYSTEM_TAG: &str = "s";

const READY: u8 = b'r';
const ACTIVE: u8 = b'a';
const DUE: u8 = b'd';

/// Eight bytes in the order of the numbers.
pub(crate) const fn ordered(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The number behind eight ordered bytes.
pub(crate) fn number(bytes: &[u8]) -> Option<i64> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// The name of a group in the index. Names are ordered as groups are: lane,
/// then token by token. No token or lane holds a character as small as the
/// marks between them.
pub(crate) fn group_name(lane: &LaneId, requirements: &CapabilitySet) -> Vec<u8> {
    let mut name = lane_prefix(lane);
    for (at, token) in requirements.iter().enumerate() {
        if at > 0 {
            name.push(1);
        }
        name.extend_from_slice(token.as_bytes());
    }
    name
}

/// What the names of a lane's groups begin with.
pub(crate) fn lane_prefix(lane: &LaneId) -> Vec<u8> {
    let mut name = Vec::with_capacity(lane.as_str().len() + 34);
    name.push(READY);
    name.extend_from_slice(lane.as_str().as_bytes());
    name.push(0);
    name
}

/// The group behind a name.
pub(crate) fn group_of(name: &[u8]) -> Option<ReadyGroup> {
    let text = std::str::from_utf8(name.strip_prefix(&[READY])?).ok()?;
    let (lane, tokens) = text.split_once('\0')?;
    let tokens = tokens.split('\u{1}').filter(|token| !token.is_empty());
    Some(ReadyGroup { lane_id: LaneId::try_new(lane).ok()?, requirements: CapabilitySet::parse_required(tokens).ok()? })
}

/// The member of a ready execution.
pub(crate) fn ready_member(group: &[u8], rank: i64, id: Uuid) -> Vec<u8> {
    let mut member = Vec::with_capacity(group.len() + 25);
    member.extend_from_slice(group);
    member.push(0);
    member.extend_from_slice(&ordered(rank));
    member.extend_from_slice(id.as_bytes());
    member
}

/// The member of a timer.
pub(crate) fn due_member(at: TimestampMs, id: Uuid) -> Vec<u8> {
    let mut member = Vec::with_capacity(25);
    member.push(DUE);
    member.extend_from_slice(&ordered(at.0));
    member.extend_from_slice(id.as_bytes());
    member
}

/// The member of an active execution.
pub(crate) fn active_member(id: Uuid) -> Vec<u8> {
    let mut member = Vec::with_capacity(17);
    member.push(ACTIVE);
    member.extend_from_slice(id.as_bytes());
    member
}

/// What a member of the index says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Ready { group: ReadyGroup, rank: i64, id: Uuid },
    Due { at: TimestampMs, id: Uuid },
    Active { id: Uuid },
}

/// Reads a member of the index.
pub(crate) fn entry(member: &[u8]) -> Option<Entry> {
    let (rest, id) = member.split_at_checked(member.len().checked_sub(16)?)?;
    let id = Uuid::from_slice(id).ok()?;
    match rest.split_first()? {
        (&ACTIVE, []) => Some(Entry::Active { id }),
        (&DUE, at) => Some(Entry::Due { at: TimestampMs(number(at)?), id }),
        (&READY, _) => {
            let (name, rank) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
            let group = group_of(name.strip_suffix(&[0])?)?;
            Some(Entry::Ready { group, rank: number(rank)?, id })
        }
        _ => None,
    }
}

/// The members of the index that an execution has: where it stands, and its
/// timer.
pub(crate) fn members(execution: &Execution, id: Uuid) -> [Option<Vec<u8>>; 2] {
    let place = match index::queue(execution) {
        Queue::Ready { rank } => {
            Some(ready_member(&group_name(&execution.lane_id, &execution.spec.requirements), rank, id))
        }
        Queue::Active { .. } => Some(active_member(id)),
        // Nothing scans the other queues; the record says where it stands.
        Queue::Delayed { .. } | Queue::Blocked { .. } | Queue::Suspended | Queue::Terminal { .. } => None,
    };
    [place, index::stored_due(execution).map(|at| due_member(at, id))]
}

/// A part of the index to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Lower bound, with its bracket.
    pub(crate) from: Vec<u8>,
    /// Upper bound, with its bracket.
    pub(crate) to: Vec<u8>,
}

impl Window {
    /// The members that begin with `prefix`, after one of them.
    pub(crate) fn after(prefix: &[u8], after: Option<Vec<u8>>) -> Self {
        let from = after.map_or_else(|| bounded(b'[', prefix), |after| bounded(b'(', &after));
        let mut end = prefix.to_vec();
        // The last byte of a prefix is one of the marks above, never the
        // greatest byte there is.
        match end.last_mut() {
            Some(last) => *last += 1,
            None => return Self { from, to: b"+".to_vec() },
        }
        Self { from, to: bounded(b'(', &end) }
    }

    /// All members of a set, after one of them.
    pub(crate) fn all_after(after: Option<&[u8]>) -> Self {
        let from = after.map_or_else(|| b"-".to_vec(), |after| bounded(b'(', after));
        Self { from, to: b"+".to_vec() }
    }

    /// The members between two that do not belong to it.
    pub(crate) fn between(lower: &[u8], upper: &[u8]) -> Self {
        Self { from: bounded(b'(', lower), to: bounded(b'(', upper) }
    }

    /// Ready executions of a group.
    pub(crate) fn ready(group: &ReadyGroup, after: Option<(i64, Uuid)>) -> Self {
        let name = group_name(&group.lane_id, &group.requirements);
        let mut prefix = name.clone();
        prefix.push(0);
        Self::after(&prefix, after.map(|(rank, id)| ready_member(&name, rank, id)))
    }

    /// Groups with something ready.
    pub(crate) fn groups(after: Option<&ReadyGroup>) -> Self {
        let mut window = Self::after(&[READY], None);
        if let Some(after) = after {
            window.from = bounded(b'[', &group_name(&after.lane_id, &after.requirements));
            window.from.push(1);
        }
        window
    }

    /// Groups of a lane.
    pub(crate) fn lane(lane: &LaneId) -> Self {
        Self::after(&lane_prefix(lane), None)
    }

    /// Timers.
    pub(crate) fn due(after: Option<(TimestampMs, Uuid)>) -> Self {
        Self::after(&[DUE], after.map(|(at, id)| due_member(at, id)))
    }

    /// Active executions.
    pub(crate) fn active(after: Option<Uuid>) -> Self {
        Self::after(&[ACTIVE], after.map(active_member))
    }
}

fn bounded(bracket: u8, bytes: &[u8]) -> Vec<u8> {
    let mut bound = Vec::with_capacity(bytes.len() + 2);
    bound.push(bracket);
    bound.extend_from_slice(bytes);
    bound
}

/// The field of a blob.
pub(crate) fn blob_field(key: &BlobKey) -> Vec<u8> {
    let mut field = key.execution.as_bytes().to_vec();
    field.push(match key.kind {
        BlobKind::Payload => b'p',
        BlobKind::Result => b'r',
    });
    field
}

/// The field and member of an attempt, ordered by index within an execution.
pub(crate) fn attempt_field(key: &AttemptKey) -> Vec<u8> {
    let mut field = key.execution.as_bytes().to_vec();
    field.extend_from_slice(&key.index.0.to_be_bytes());
    field
}

/// The field of an idempotency key.
pub(crate) fn idempotency_field(key: &IdempotencyKey) -> Vec<u8> {
    let namespace = key.namespace.as_str().as_bytes();
    let mut field = (namespace.len() as u32).to_be_bytes().to_vec();
    field.extend_from_slice(namespace);
    field.extend_from_slice(key.key.as_bytes());
    field
}

/// The kind of a kept record, and its name, which is its field and, where the
/// kind is listed, its member. A name may end in text of any length.
pub(crate) fn kept(key: &RecordKey) -> StoreResult<(KeptKind, Vec<u8>)> {
    key.kept().ok_or_else(|| StoreError::permanent(format!("{key:?} has no name to be kept under")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_ordered_as_their_numbers() {
        let numbers = [i64::MIN, -9_007_199_254_740_993, -9_007_199_254_740_992, -1, 0, 1, i64::MAX - 1, i64::MAX];
        for pair in numbers.windows(2) {
            assert!(ordered(pair[0]) < ordered(pair[1]), "{pair:?}");
        }
        for number_ in numbers {
            assert_eq!(number(&ordered(number_)), Some(number_));
        }
    }

    fn group(lane: &'static str, tokens: &[&str]) -> ReadyGroup {
        let requirements = CapabilitySet::parse_required(tokens.iter().copied()).unwrap();
        ReadyGroup { lane_id: LaneId::new(lane), requirements }
    }

    #[test]
    fn names_are_ordered_as_their_groups_and_read_back() {
        let mut groups = vec![
            group("a", &[]),
            group("a", &["x"]),
            group("a", &["x!"]),
            group("a", &["x", "y"]),
            group("a", &["x", "y!"]),
            group("a!", &[]),
            group("ab", &["w"]),
            group("b", &["é", "x"]),
        ];
        groups.sort();
        let names: Vec<_> = groups.iter().map(|group| group_name(&group.lane_id, &group.requirements)).collect();
        assert!(names.is_sorted());
        for (name, group) in names.iter().zip(&groups) {
            assert_eq!(group_of(name).as_ref(), Some(group));
            let (rank, id) = (-5, Uuid::from_u128(7));
            let expected = Entry::Ready { group: group.clone(), rank, id };
            assert_eq!(entry(&ready_member(name, rank, id)), Some(expected));
            // Everything of a group comes before everything of the next one.
            let window = Window::ready(group, None);
            assert!(window.from[1..] < ready_member(name, i64::MIN, Uuid::nil())[..]);
            assert!(window.to[1..] > ready_member(name, i64::MAX, Uuid::max())[..]);
        }
    }

    #[test]
    fn members_read_back() {
        let id = Uuid::from_u128(9);
        assert_eq!(entry(&active_member(id)), Some(Entry::Active { id }));
        let at = TimestampMs(i64::MAX);
        assert_eq!(entry(&due_member(at, id)), Some(Entry::Due { at, id }));
        for broken in [&b""[..], b"short", &[b'z'; 17], &[b'd'; 20]] {
            assert_eq!(entry(broken), None, "{broken:?}");
        }
    }
}
