//! The rules of Leasehold as pure functions: identifiers, records, the state
//! vector, policies, commands and decisions.
//!
//! Nothing in this crate awaits, reads a clock, draws a random number or
//! allocates an identifier. A command, the records it names and the current
//! time give a [`decision::Decision`] or a typed rejection; stores apply what
//! was decided and know no rule of their own.

pub mod backoff;
pub mod capability;
pub mod codec;
pub mod command;
pub mod decision;
pub mod error;
pub mod event;
pub mod flow;
pub mod handle;
pub mod ids;
pub mod inbox;
pub mod index;
pub mod invariant;
pub mod partition;
pub mod policy;
pub mod record;
pub mod state;
pub mod suspension;
pub mod tags;
pub mod time;
pub mod token;
pub mod view;
pub mod wait_lists;
pub mod wait_view;
