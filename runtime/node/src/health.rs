//! Whether a node can do its work, for `/healthz`.

use leasehold_actors::EngineHandle;
use leasehold_actors::fleet::FleetHealth;
use leasehold_http::HealthCheck;
use std::sync::Arc;

/// A check that a node serves all of its partitions under a lease that holds,
/// and that none of its worker fleets has given up.
pub fn health_check(engine: EngineHandle) -> HealthCheck {
    Arc::new(move || {
        let engine = engine.clone();
        Box::pin(async move { check(&engine).await })
    })
}

async fn check(engine: &EngineHandle) -> Result<(), String> {
    let Some(status) = engine.status().await else { return Err("the node has ended".to_owned()) };
    if !status.lease_holds {
        return Err("the node's lease does not hold".to_owned());
    }
    if status.served != status.partitions {
        return Err(format!("{} of {} partitions are served", status.served, status.partitions));
    }
    let unwell = |fleet: &leasehold_actors::fleet::FleetHandle| fleet.status().health == FleetHealth::Unhealthy;
    match engine.fleets().iter().find(|fleet| unwell(fleet)) {
        Some(fleet) => Err(format!("fleet {} has failed too often and claims nothing", fleet.options().worker_id)),
        None => Ok(()),
    }
}
