//! The arguments of a function call, grouped by key and command.
//!
//! A commit writes thousands of short arguments. They stand behind each other
//! in one buffer per group, and the buffers serve one part after another.

use crate::keys::Kind;
use leasehold_backend::StoreResult;
use redis::Cmd;
use std::collections::BTreeMap;

/// A command of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    HSet,
    HDel,
    ZAdd,
    ZRem,
    XAdd,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::HSet => "HSET",
            Self::HDel => "HDEL",
            Self::ZAdd => "ZADD",
            Self::ZRem => "ZREM",
            Self::XAdd => "XADD",
        }
    }
}

/// Arguments of one command.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arguments {
    /// Adds an argument.
    pub(super) fn push(&mut self, argument: &[u8]) {
        self.bytes.extend_from_slice(argument);
        self.ends.push(self.bytes.len());
    }

    /// Adds what `write` appends as one argument.
    ///
    /// # Errors
    ///
    /// Those of `write`.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> StoreResult<()>) -> StoreResult<()> {
        write(&mut self.bytes)?;
        self.ends.push(self.bytes.len());
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut begin, *end)..*end])
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Everything one part writes, by key, command and, where one command does not
/// take all of it, turn.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<(Kind, Verb, usize), Arguments>);

impl Groups {
    /// The arguments of a command.
    pub(super) fn of(&mut self, kind: Kind, verb: Verb) -> &mut Arguments {
        self.turn(kind, verb, 0)
    }

    /// The arguments of the nth of several commands.
    pub(super) fn turn(&mut self, kind: Kind, verb: Verb, turn: usize) -> &mut Arguments {
        self.0.entry((kind, verb, turn)).or_default()
    }

    /// Forgets the arguments and keeps their memory for the next part.
    pub(super) fn clear(&mut self) {
        self.0.values_mut().for_each(Arguments::clear);
    }

    fn filled(&self) -> impl Iterator<Item = (Kind, Verb, &Arguments)> {
        let groups = self.0.iter().filter(|(_, arguments)| !arguments.ends.is_empty());
        groups.map(|((kind, verb, _), arguments)| (*kind, *verb, arguments))
    }

    /// The keys that are written, in order and each once.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        let mut before = None;
        self.filled().map(|(kind, _, _)| kind).filter(move |kind| before.replace(*kind) != Some(*kind))
    }

    /// How many arguments a call carries for them, and how many bytes, about.
    pub(super) fn size(&self) -> (usize, usize) {
        self.filled().fold((0, 0), |(count, bytes), (_, _, arguments)| {
            (count + 3 + arguments.ends.len(), bytes + 12 + arguments.bytes.len())
        })
    }

    /// Adds them to a call; `place_of` tells where a key stands in it.
    pub(super) fn write(&self, call: &mut Cmd, place_of: impl Fn(Kind) -> usize) {
        for (kind, verb, arguments) in self.filled() {
            call.arg(verb.as_str()).arg(place_of(kind)).arg(arguments.ends.len());
            for argument in arguments.iter() {
                call.arg(argument);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_those_that_were_added_and_none_of_an_earlier_part() {
        let mut groups = Groups::default();
        groups.of(Kind::Lane, Verb::HSet).push(b"earlier");
        groups.clear();
        let index = groups.of(Kind::Index, Verb::ZRem);
        index.push(b"one");
        index.push(b"");
        index
            .push_with(|bytes| {
                bytes.extend_from_slice(b"three");
                Ok(())
            })
            .unwrap();
        groups.of(Kind::Execution, Verb::HSet).push(b"x");
        groups.of(Kind::Index, Verb::ZAdd).push(b"0");
        assert_eq!(groups.kinds().collect::<Vec<_>>(), [Kind::Execution, Kind::Index]);
        let mut call = Cmd::new();
        groups.write(&mut call, |kind| kind as usize);
        let mut expected = Cmd::new();
        expected.arg("HSET").arg(Kind::Execution as usize).arg(1).arg("x");
        expected.arg("ZADD").arg(Kind::Index as usize).arg(1).arg("0");
        expected.arg("ZREM").arg(Kind::Index as usize).arg(3).arg("one").arg("").arg("three");
        assert_eq!(call.get_packed_command(), expected.get_packed_command());
    }
}
