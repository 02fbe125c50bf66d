//! Resume conditions: trees over waitpoint keys.

use bincode::error::DecodeError;
use serde::{Deserialize, Serialize};

/// How deep composite conditions may nest; the root is at depth 1.
pub const MAX_COMPOSITE_DEPTH: usize = 4;

/// What must come before a suspended execution goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode)]
#[serde(rename_all = "snake_case")]
pub enum ResumeCondition {
    /// One signal at one waitpoint.
    Single {
        /// The waitpoint's key.
        waitpoint_key: String,
        /// Which signals count.
        matcher: SignalMatcher,
    },
    /// No signal; an operator resumes it.
    OperatorOnly,
    /// No signal; the deadline ends it.
    TimeoutOnly,
    /// Several things.
    Composite(CompositeBody),
}

/// Which signals count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "snake_case")]
pub enum SignalMatcher {
    /// Those of exactly this name, byte for byte.
    ByName(String),
    /// All.
    Wildcard,
}

impl SignalMatcher {
    /// Whether a signal of this name counts.
    pub fn accepts(&self, name: &str) -> bool {
        match self {
            Self::ByName(expected) => expected == name,
            Self::Wildcard => true,
        }
    }
}

/// A condition made of others, or of several signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CompositeBody {
    /// Every member.
    AllOf {
        /// The members.
        members: Vec<ResumeCondition>,
    },
    /// So many different ones.
    Count {
        /// How many.
        n: u32,
        /// Of what.
        count_kind: CountKind,
        /// Which signals count; all when absent.
        #[serde(default)]
        matcher: Option<SignalMatcher>,
        /// The keys of the waitpoints that count.
        waitpoints: Vec<String>,
    },
}

/// What has to be different to be counted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "snake_case")]
pub enum CountKind {
    /// The waitpoint that was signalled.
    DistinctWaitpoints,
    /// The signal.
    DistinctSignals,
    /// Type and identity of the sender together.
    DistinctSources,
}

impl ResumeCondition {
    /// Any signal at each of these waitpoints.
    pub fn all_of_waitpoints<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        let members = keys
            .into_iter()
            .map(|key| Self::Single { waitpoint_key: key.into(), matcher: SignalMatcher::Wildcard })
            .collect();
        Self::Composite(CompositeBody::AllOf { members })
    }

    /// Whether the root is composite.
    pub const fn is_composite(&self) -> bool {
        matches!(self, Self::Composite(_))
    }

    /// Every node, a parent before its members and these in order. Works on
    /// trees of any depth, as they come from a caller.
    pub fn nodes(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            if let Self::Composite(CompositeBody::AllOf { members }) = node {
                open.extend(members.iter().rev());
            }
            Some(node)
        })
    }

    /// The keys a node itself names.
    pub(crate) fn own_keys(&self) -> &[String] {
        match self {
            Self::Single { waitpoint_key, .. } => std::slice::from_ref(waitpoint_key),
            Self::Composite(CompositeBody::Count { waitpoints, .. }) => waitpoints,
            _ => &[],
        }
    }

    /// The matcher a node itself has; none accepts every signal.
    pub(crate) const fn own_matcher(&self) -> Option<&SignalMatcher> {
        match self {
            Self::Single { matcher, .. } => Some(matcher),
            Self::Composite(CompositeBody::Count { matcher, .. }) => matcher.as_ref(),
            _ => None,
        }
    }

    /// Every key named anywhere, in order, with repeats.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.nodes().flat_map(Self::own_keys).map(String::as_str)
    }

    /// Every signal name asked for anywhere, in order, with repeats.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes().filter_map(Self::own_matcher).filter_map(|matcher| match matcher {
            SignalMatcher::ByName(name) => Some(name.as_str()),
            SignalMatcher::Wildcard => None,
        })
    }

    /// The signal names that can count at a waitpoint, for people; empty when
    /// any can.
    pub fn required_signal_names(&self, waitpoint_key: &str) -> Vec<String> {
        match self {
            Self::OperatorOnly => return vec!["__operator_only__".to_owned()],
            Self::TimeoutOnly => return vec!["__timeout_only__".to_owned()],
            Self::Single { .. } | Self::Composite(_) => {}
        }
        let mut names: Vec<String> = Vec::new();
        for node in self.nodes().filter(|node| node.own_keys().iter().any(|key| key == waitpoint_key)) {
            match node.own_matcher() {
                Some(SignalMatcher::ByName(name)) if !names.contains(name) => names.push(name.clone()),
                Some(SignalMatcher::ByName(_)) => {}
                Some(SignalMatcher::Wildcard) | None => return Vec::new(),
            }
        }
        names
    }
}

/// Stored trees come from outside as well: their depth is bounded while they
/// are read, since a decoder recurses.
impl<Context> bincode::Decode<Context> for ResumeCondition {
    fn decode<D: bincode::de::Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        decode_node(decoder, 0)
    }
}
bincode::impl_borrow_decode!(ResumeCondition);

fn decode_node<D: bincode::de::Decoder>(decoder: &mut D, depth: usize) -> Result<ResumeCondition, DecodeError> {
    use bincode::Decode;
    match u32::decode(decoder)? {
        0 => Ok(ResumeCondition::Single { waitpoint_key: Decode::decode(decoder)?, matcher: Decode::decode(decoder)? }),
        1 => Ok(ResumeCondition::OperatorOnly),
        2 => Ok(ResumeCondition::TimeoutOnly),
        3 if depth < MAX_COMPOSITE_DEPTH => decode_body(decoder, depth + 1).map(ResumeCondition::Composite),
        3 => Err(DecodeError::OtherString(format!("a condition deeper than {MAX_COMPOSITE_DEPTH}"))),
        found => Err(DecodeError::OtherString(format!("{found} is no condition"))),
    }
}

fn decode_body<D: bincode::de::Decoder>(decoder: &mut D, depth: usize) -> Result<CompositeBody, DecodeError> {
    use bincode::Decode;
    match u32::decode(decoder)? {
        0 => {
            // Every member takes a byte at least, and running out of bytes
            // ends the loop; nothing is allocated ahead.
            let count = u64::decode(decoder)?;
            let mut members = Vec::new();
            for _ in 0..count {
                decoder.claim_container_read::<ResumeCondition>(1)?;
                members.push(decode_node(decoder, depth)?);
            }
            Ok(CompositeBody::AllOf { members })
        }
        1 => Ok(CompositeBody::Count {
            n: Decode::decode(decoder)?,
            count_kind: Decode::decode(decoder)?,
            matcher: Decode::decode(decoder)?,
            waitpoints: Decode::decode(decoder)?,
        }),
        found => Err(DecodeError::OtherString(format!("{found} is no composite condition"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(members: Vec<ResumeCondition>) -> ResumeCondition {
        ResumeCondition::Composite(CompositeBody::AllOf { members })
    }

    fn by_name(key: &str, name: &str) -> ResumeCondition {
        ResumeCondition::Single { waitpoint_key: key.into(), matcher: SignalMatcher::ByName(name.into()) }
    }

    fn count(matcher: Option<SignalMatcher>, keys: &[&str]) -> ResumeCondition {
        ResumeCondition::Composite(CompositeBody::Count {
            n: 1,
            count_kind: CountKind::DistinctSources,
            matcher,
            waitpoints: keys.iter().map(|key| (*key).to_owned()).collect(),
        })
    }

    fn nested(depth: usize) -> ResumeCondition {
        (0..depth).fold(ResumeCondition::OperatorOnly, |inner, _| all_of(vec![inner]))
    }

    #[test]
    fn nodes_come_parent_first_and_in_order() {
        let tree = all_of(vec![by_name("a", "x"), all_of(vec![count(None, &["b", "c"])]), by_name("d", "y")]);
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(tree.names().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(tree.nodes().count(), 5);
    }

    #[test]
    fn the_json_form_tags_composites_by_kind() {
        let tree = all_of(vec![by_name("a", "x"), count(Some(SignalMatcher::Wildcard), &["b"])]);
        let json = serde_json::json!({ "composite": { "kind": "all_of", "members": [
            { "single": { "waitpoint_key": "a", "matcher": { "by_name": "x" } } },
            { "composite": { "kind": "count", "n": 1, "count_kind": "distinct_sources", "matcher": "wildcard",
                "waitpoints": ["b"] } },
        ] } });
        assert_eq!(serde_json::to_value(&tree).unwrap(), json);
        assert_eq!(serde_json::from_value::<ResumeCondition>(json).unwrap(), tree);
        let bare = serde_json::json!({ "composite":
            { "kind": "count", "n": 1, "count_kind": "distinct_sources", "waitpoints": ["b"] } });
        assert_eq!(serde_json::from_value::<ResumeCondition>(bare).unwrap(), count(None, &["b"]));
        assert_eq!(serde_json::to_value(ResumeCondition::OperatorOnly).unwrap(), "operator_only");
    }

    #[test]
    fn required_names_are_those_of_the_nodes_that_name_the_key() {
        let named = Some(SignalMatcher::ByName("z".into()));
        let tree = all_of(vec![by_name("a", "x"), by_name("a", "x"), count(named, &["a", "b"]), by_name("b", "y")]);
        assert_eq!(tree.required_signal_names("a"), ["x", "z"]);
        assert_eq!(tree.required_signal_names("b"), ["z", "y"]);
        assert!(tree.required_signal_names("c").is_empty());
        assert!(all_of(vec![by_name("a", "x"), count(None, &["a"])]).required_signal_names("a").is_empty());
        assert!(ResumeCondition::all_of_waitpoints(["a"]).required_signal_names("a").is_empty());
        assert_eq!(ResumeCondition::OperatorOnly.required_signal_names("a"), ["__operator_only__"]);
        assert_eq!(ResumeCondition::TimeoutOnly.required_signal_names("a"), ["__timeout_only__"]);
    }

    #[test]
    fn stored_trees_read_back_up_to_the_depth_that_is_allowed() {
        let config = bincode::config::standard().with_limit::<65_536>();
        let tree = all_of(vec![by_name("a", "x"), count(None, &["b"]), nested(2), ResumeCondition::TimeoutOnly]);
        for tree in [tree, nested(MAX_COMPOSITE_DEPTH), by_name("a", "")] {
            let bytes = bincode::encode_to_vec(&tree, config).unwrap();
            assert_eq!(bincode::decode_from_slice::<ResumeCondition, _>(&bytes, config).unwrap(), (tree, bytes.len()));
        }
        let deep = bincode::encode_to_vec(nested(MAX_COMPOSITE_DEPTH + 1), config).unwrap();
        let error = bincode::decode_from_slice::<ResumeCondition, _>(&deep, config).unwrap_err();
        assert!(error.to_string().contains("deeper than 4"), "{error}");
        // As deep as a record has bytes for, which would use the stack up.
        let hostile: Vec<u8> = [3, 0, 1].iter().copied().cycle().take(60_000).collect();
        assert!(bincode::decode_from_slice::<ResumeCondition, _>(&hostile, config).is_err());
    }

    #[test]
    fn a_hostile_number_of_members_allocates_nothing() {
        let config = bincode::config::standard().with_limit::<65_536>();
        for member in [1, 2] {
            let mut bytes = vec![3, 0, 253];
            bytes.extend(u64::MAX.to_le_bytes());
            bytes.extend(std::iter::repeat_n(member, 60_000));
            assert!(bincode::decode_from_slice::<ResumeCondition, _>(&bytes, config).is_err());
        }
    }
}
