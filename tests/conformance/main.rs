//! The contract, operation by operation, on every store.
//!
//! A case is written against the traits of the contract and looks into the
//! store only to see what an operation has left there. Each is one test per
//! target, named `<target>::<concern>::<operation>::<case>`. After each case
//! the checker reads the whole store.
//!
//! The concern `automatic` holds the cases in which timers fire by
//! themselves; in all others the case drives every step by name.

mod automatic;
mod case;
mod executions;
mod fencing;
mod flows;
mod handles;
mod leases;
mod maintenance;
mod reads;
mod signals;
mod states;
mod suite;
mod suspension;
mod work;

/// All cases on each target.
macro_rules! targets {
    ($($name:ident = $target:path;)+) => {
        $(mod $name {
            crate::executions::cases!($target);
            crate::leases::cases!($target);
            crate::suspension::cases!($target);
            crate::reads::cases!($target);
            crate::work::cases!($target);
            crate::flows::cases!($target);
            crate::automatic::cases!($target);
            crate::maintenance::cases!($target);
        })+
    };
}

targets! {
    memory = leasehold_tests::harness::Target::Memory;
    sqlite = leasehold_tests::harness::Target::Sqlite;
    postgres = leasehold_tests::harness::Target::Postgres;
    redis = leasehold_tests::harness::Target::Redis;
    valkey = leasehold_tests::harness::Target::Valkey;
    valkey_cluster = leasehold_tests::harness::Target::ValkeyCluster;
}
