//! What the tests of Leasehold share.

pub mod checker;
