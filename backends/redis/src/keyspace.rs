//! The keys of a store as people find them: how many there are of each kind,
//! and what is in them.
//!
//! The servers are walked with `SCAN`, which holds nobody up for long, and at
//! most [`STEPS_MAX`] steps each, whatever else they keep. The lengths are read
//! beside it, so that on a store in use the numbers are those of one moment
//! per key.

use crate::RedisBackend;
use crate::keys::Kind;
use crate::server;
use crate::values::{self, Place};
use crate::wire::{Lane, Primary, error_of};
use leasehold_backend::StoreResult;
use redis::{Cmd, Value};
use std::collections::{BTreeMap, HashSet};

/// How many steps the walk over one server has at most.
const STEPS_MAX: usize = 1000;

/// How many keys a server looks at in one step, about.
const STEP_KEYS: usize = 1000;

/// How many names of keys that belong to nothing are told.
const STRAYS_MAX: usize = 5;

/// One kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Meta,
    Nodes,
    Of(Kind),
}

/// The kinds of key in the order they are shown in.
fn names() -> impl Iterator<Item = Name> {
    [Name::Meta, Name::Nodes].into_iter().chain(Kind::ALL.map(Name::Of))
}

impl Name {
    /// What a key is called after the prefix, a partition's with `N` for its
    /// number.
    fn shown(self) -> String {
        match self {
            Self::Meta => "{s}:meta".to_owned(),
            Self::Nodes => "{s}:nodes".to_owned(),
            Self::Of(kind) => format!("{{pN}}:{}", kind.as_str()),
        }
    }

    /// The type, and the command that tells its length.
    const fn shape(self) -> (&'static str, &'static str) {
        match self {
            Self::Meta
            | Self::Nodes
            | Self::Of(
                Kind::Head | Kind::Execution | Kind::Blob | Kind::Attempt | Kind::Idempotency | Kind::Lane | Kind::Kept,
            ) => ("hash", "HLEN"),
            Self::Of(Kind::Ids | Kind::Index | Kind::Attempts | Kind::Lanes | Kind::Listed) => ("sorted set", "ZCARD"),
            Self::Of(Kind::Event) => ("stream", "XLEN"),
        }
    }

    /// What an entry is.
    const fn content(self) -> &'static str {
        match self {
            Self::Meta => "schema, identity and partition counts",
            Self::Nodes => "node to the end of its lease",
            Self::Of(Kind::Head) => "owner, epoch, nonce, seq and time of a partition",
            Self::Of(Kind::Execution) => "uuid to execution",
            Self::Of(Kind::Ids) => "uuids of all executions",
            Self::Of(Kind::Index) => "what is ready, active or due",
            Self::Of(Kind::Blob) => "uuid and kind to payload or result",
            Self::Of(Kind::Event) => "events of one commit",
            Self::Of(Kind::Attempt) => "uuid and index to attempt that another followed",
            Self::Of(Kind::Attempts) => "uuids and indexes of those",
            Self::Of(Kind::Idempotency) => "namespace and key to what it stands for",
            Self::Of(Kind::Lane) => "name to lane",
            Self::Of(Kind::Lanes) => "names of lanes",
            Self::Of(Kind::Kept) => "kind and name to record of a suspension or a flow",
            Self::Of(Kind::Listed) => "kinds and names of those that are listed",
        }
    }

    /// The name of what follows the prefix of a key.
    fn read(rest: &[u8]) -> Option<Self> {
        let rest = std::str::from_utf8(rest).ok()?;
        let (tag, end) = rest.strip_prefix('{')?.split_once("}:")?;
        if tag == "s" {
            return [Self::Meta, Self::Nodes].into_iter().find(|name| name.shown() == rest);
        }
        let number = tag.strip_prefix('p')?;
        // As it is written, without zeros in front.
        number.parse::<u16>().ok().filter(|parsed| parsed.to_string() == number)?;
        Kind::ALL.into_iter().find(|kind| kind.as_str() == end).map(Self::Of)
    }
}

/// How many keys of a kind there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCount {
    /// Their name, with `N` for the number of a partition.
    pub name: String,
    /// Their type.
    pub shape: &'static str,
    /// What an entry is.
    pub content: &'static str,
    /// How many keys there are.
    pub keys: u64,
    /// How many entries they have together.
    pub entries: u64,
}

/// The keys of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    /// Every kind of key, whether there are any or not.
    pub counts: Vec<KeyCount>,
    /// How many keys with the store's prefix are none of these.
    pub strays: u64,
    /// Names of a few of them.
    pub stray_names: Vec<String>,
    /// Whether every key was seen; otherwise the walk was ended by its bound.
    pub complete: bool,
}

/// What the walk has found so far.
struct Walk {
    /// A server that moves its keys about may name one twice.
    seen: HashSet<Vec<u8>>,
    found: BTreeMap<Name, (u64, u64)>,
    strays: u64,
    stray_names: Vec<String>,
    complete: bool,
}

/// Counts the keys of a store.
pub(crate) async fn count(store: &RedisBackend) -> StoreResult<Keyspace> {
    let prefix = &store.options.prefix;
    let mut walk =
        Walk { seen: HashSet::new(), found: BTreeMap::new(), strays: 0, stray_names: Vec::new(), complete: true };
    for primary in &store.wire.topology().primaries {
        walk.over(primary, prefix).await?;
    }
    let counts = names().map(|name| {
        let (shape, _) = name.shape();
        let (keys, entries) = walk.found.get(&name).copied().unwrap_or_default();
        KeyCount { name: format!("{prefix}:{}", name.shown()), shape, content: name.content(), keys, entries }
    });
    let counts = counts.collect();
    Ok(Keyspace { counts, strays: walk.strays, stray_names: walk.stray_names, complete: walk.complete })
}

impl Walk {
    async fn over(&mut self, primary: &Primary, prefix: &str) -> StoreResult<()> {
        let pattern = format!("{}:*", escaped(prefix));
        let mut cursor = "0".to_owned();
        for _ in 0..STEPS_MAX {
            let scan = redis::cmd("SCAN").arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP_KEYS).clone();
            let place = Place::new("SCAN", &primary.address);
            let page = place.list(sent(primary, &[scan]).await?.pop().unwrap_or(Value::Nil))?;
            let [next, keys] = <[Value; 2]>::try_from(page)
                .map_err(|page| place.corrupt("answer", format!("{} parts", page.len())))?;
            self.see(primary, prefix, place.bytes_list(keys)?).await?;
            cursor = values::text(&next).ok_or_else(|| place.unexpected(&next))?;
            if cursor == "0" {
                return Ok(());
            }
        }
        self.complete = false;
        Ok(())
    }

    async fn see(&mut self, primary: &Primary, prefix: &str, keys: Vec<Vec<u8>>) -> StoreResult<()> {
        let mut known = Vec::new();
        for key in keys {
            if !self.seen.insert(key.clone()) {
                continue;
            }
            match key.get(prefix.len() + 1..).and_then(Name::read) {
                Some(name) => known.push((name, key)),
                None => self.stray(&key),
            }
        }
        let lengths: Vec<Cmd> = known.iter().map(|(name, key)| redis::cmd(name.shape().1).arg(key).clone()).collect();
        let answers = if lengths.is_empty() { Vec::new() } else { sent(primary, &lengths).await? };
        for ((name, key), answer) in known.iter().zip(answers) {
            match answer {
                Value::Int(length) => {
                    let (keys, entries) = self.found.entry(*name).or_default();
                    *keys += 1;
                    *entries += length.unsigned_abs();
                }
                // A key of another type under one of our names.
                _ => self.stray(key),
            }
        }
        Ok(())
    }

    fn stray(&mut self, key: &[u8]) {
        self.strays += 1;
        if self.stray_names.len() < STRAYS_MAX {
            self.stray_names.push(String::from_utf8_lossy(key).into_owned());
        }
    }
}

/// Sends commands that only read; an answer that is an error is left to the
/// caller only where it tells the type of a key.
async fn sent(primary: &Primary, commands: &[Cmd]) -> StoreResult<Vec<Value>> {
    let answers = primary.send(Lane::Reads, commands).await.map_err(|cut| server::of_cut(&cut))?;
    let refused = answers.iter().filter_map(error_of).find(|error| error.code() != "WRONGTYPE");
    match refused {
        Some(error) => Err(server::refusal(&primary.address, error)),
        None => Ok(answers),
    }
}

/// A text that a pattern takes literally.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut pattern, character| {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(character);
        pattern
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    #[test]
    fn every_key_is_known_by_its_name() {
        let keys = Keys::new("some:thing");
        let rest = |key: Vec<u8>| key["some:thing:".len()..].to_vec();
        assert_eq!(Name::read(&rest(keys.meta())), Some(Name::Meta));
        assert_eq!(Name::read(&rest(keys.nodes())), Some(Name::Nodes));
        for kind in Kind::ALL {
            assert_eq!(Name::read(&rest(keys.of(255, kind))), Some(Name::Of(kind)));
        }
        for stray in ["{s}:head", "{p01}:head", "{p65536}:head", "{p1}:heads", "p1:head", "", "{s}meta"] {
            assert_eq!(Name::read(stray.as_bytes()), None, "{stray}");
        }
    }

    #[test]
    fn a_prefix_is_matched_literally() {
        assert_eq!(escaped("a*b[c]\\"), "a\\*b\\[c\\]\\\\");
    }
}
