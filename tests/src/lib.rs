//! What the tests of Leasehold share.

pub mod checker;
pub mod harness;
pub mod sim;
