//! The rules of the actors, each provoked over the memory store.

mod commits;
mod fixture;
mod flows;
mod inbox;
mod leases;
mod parts;
mod recovery;
mod results;
mod room;
mod waits;
mod work;
