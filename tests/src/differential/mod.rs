//! The same seeded programs on every store and on the memory model.
//!
//! A [program](program) is made from a seed: a set-up of the engine (one to
//! three partitions, timers by themselves or by name, windows of ordinary or
//! tiny size) and steps: commands of every operation of the contract, creates
//! at once, time that passes, leaps or is set, restarts, drains and kills. It
//! is [played](player) on the memory model and on every other target, and the
//! [transcripts](transcript) must be the same, line by line.
//!
//! # What is compared
//!
//! * every call with its arguments, which are chosen from earlier answers;
//! * every answer in full: the value, or the error's code, class and details;
//! * when an answer comes: a call that waits is answered in the same step;
//! * at the end, after an orderly restart, everything in the store: records,
//!   attempts, index entries as stored, digests of payloads and results, each
//!   scan in its order, lanes, lapsing leases, the log of each partition in
//!   its order, and what is kept of suspensions, signals and flows;
//! * that the [checker](crate::checker) finds every store sound.
//!
//! # What is not
//!
//! * Identifiers that the engine mints: uuids are replaced by names in the
//!   order in which they are met, since how often the engine draws random
//!   numbers is no promise. Its randomness begins anew with every call, so
//!   that the jitter of a retry does not depend on that either.
//! * Ownership epochs: an event's place is (rank of the epoch, number), since
//!   epochs only have to grow.
//! * The name of the store: in handles, in `backend_label`, in `capabilities`
//!   and in the message about a handle of another store.
//!
//! # Why it is repeatable
//!
//! One command runs at a time, and after each one the engine comes to rest
//! before anything else happens. Where work in two partitions races for one
//! waiting worker, the outcome is nobody's promise, so such a worker hangs up
//! when the engine rests (with one partition it waits on), and takes one task
//! at a time unless all of it comes from one window. Creates that run at once
//! have no key in common. Kills come at rest; killing in the middle of
//! something is what the [simulation](crate::sim) does.

mod answer;
mod call;
mod choose;
mod contents;
mod kept;
mod names;
mod player;
pub mod program;
mod seen;
pub mod shrink;
#[cfg(test)]
mod tests;
mod ticket;
pub mod transcript;

pub use player::play;
