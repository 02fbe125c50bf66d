//! The graph and its joins against answers found by trying everything.

mod counts;
mod group;
mod policy;
mod search;
mod shape;
