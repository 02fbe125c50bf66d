//! `backend_label`: which store it is.

use crate::case::Case;
use leasehold_tests::harness::Target;

pub async fn it_names_the_store(case: &mut Case) {
    let label = match case.target() {
        Target::Memory => "memory",
        Target::Sqlite => "sqlite",
        Target::Postgres => "postgres",
        Target::Redis | Target::Valkey | Target::ValkeyCluster => "valkey",
    };
    assert_eq!(case.engine.backend_label(), label);
    assert_eq!(case.engine.capabilities().identity.family, label);
    assert_eq!(case.leased().await.handle.backend.as_str(), label);
}
