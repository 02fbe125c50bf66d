//! What the tests of Leasehold share.

pub mod bench;
pub mod checker;
pub mod harness;
pub mod kills;
pub mod sim;
