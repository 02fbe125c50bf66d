//! The function library: the files of `lua/`, bundled.
//!
//! The library and all its functions carry a version in their names, and a
//! library with a name never changes: whatever changes in `lua/` takes the
//! next number. Nodes of several versions therefore find each their own on
//! one server, and none can replace another's. It is loaded where it is
//! missing, and never with `REPLACE`.

use std::sync::LazyLock;

/// The library's version.
pub(crate) const VERSION: u32 = 2;

/// A function of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// Applies a change set; refused when memory is full.
    Commit,
    /// Applies a change set that adds no work.
    CommitFinishing,
    /// Takes a partition.
    Take,
    /// Adds a node.
    Register,
    /// Renews a node's lease.
    Heartbeat,
    /// Marks a node as dead.
    Bury,
    /// Reads records and blobs.
    Load,
    /// Reads a window with its records.
    Scan,
    /// Reads a page of events.
    Events,
    /// Lists groups of ready executions.
    Groups,
    /// Finds the index entries of one execution.
    Find,
    /// Notes what the store is set up for.
    Setup,
}

impl Function {
    /// The name without the library's.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::CommitFinishing => "commit_finishing",
            Self::Take => "take",
            Self::Register => "register",
            Self::Heartbeat => "heartbeat",
            Self::Bury => "bury",
            Self::Load => "load",
            Self::Scan => "scan",
            Self::Events => "events",
            Self::Groups => "groups",
            Self::Find => "find",
            Self::Setup => "setup",
        }
    }

    /// A call, without keys and arguments.
    pub(crate) fn call(self, keys: &[&[u8]]) -> redis::Cmd {
        let mut command = redis::Cmd::new();
        self.begin(&mut command, keys.len());
        for key in keys {
            command.arg(*key);
        }
        command
    }

    /// Begins a call; the keys and the arguments follow.
    pub(crate) fn begin(self, command: &mut redis::Cmd, keys: usize) {
        command.arg("FCALL").arg(format!("{}_{}", name(), self.name())).arg(keys);
    }
}

/// What the names of all versions begin with.
pub(crate) const STEM: &str = "leasehold_v";

/// The library's name on the server.
pub(crate) fn name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("{STEM}{VERSION}"));
    &NAME
}

/// The files, in the order in which they build on each other.
const FILES: [&str; 13] = [
    include_str!("../../../lua/library.lua"),
    include_str!("../../../lua/commit.lua"),
    include_str!("../../../lua/commit_finishing.lua"),
    include_str!("../../../lua/take.lua"),
    include_str!("../../../lua/register.lua"),
    include_str!("../../../lua/heartbeat.lua"),
    include_str!("../../../lua/bury.lua"),
    include_str!("../../../lua/load.lua"),
    include_str!("../../../lua/scan.lua"),
    include_str!("../../../lua/events.lua"),
    include_str!("../../../lua/groups.lua"),
    include_str!("../../../lua/find.lua"),
    include_str!("../../../lua/setup.lua"),
];

/// The library as it is loaded.
pub(crate) fn code() -> &'static str {
    static CODE: LazyLock<String> = LazyLock::new(|| {
        let name = name();
        format!("#!lua name={name}\nlocal LIBRARY = '{name}'\n\n{}", FILES.join("\n"))
    });
    &CODE
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::partition::fnv1a64;

    /// Whoever changes `lua/` changes this pair: a library that was released
    /// under a number stays what it was.
    #[test]
    fn a_library_that_changes_takes_the_next_number() {
        let sum = fnv1a64(FILES.join("\n").as_bytes());
        assert_eq!((VERSION, format!("{sum:016x}").as_str()), (2, "b557c3897e69042b"));
    }

    #[test]
    fn every_function_is_registered_once() {
        let all = [
            Function::Commit,
            Function::CommitFinishing,
            Function::Take,
            Function::Register,
            Function::Heartbeat,
            Function::Bury,
            Function::Load,
            Function::Scan,
            Function::Events,
            Function::Groups,
            Function::Find,
            Function::Setup,
        ];
        for function in all {
            let registration = format!("LIBRARY .. '_{}'", function.name());
            assert_eq!(code().matches(&registration).count(), 1, "{registration}");
        }
        assert_eq!(code().matches("redis.register_function").count(), all.len());
    }
}
