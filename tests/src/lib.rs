//! What the tests of Leasehold share.

pub mod bench;
pub mod checker;
pub mod differential;
pub mod faults;
pub mod harness;
pub mod kills;
pub mod sim;
