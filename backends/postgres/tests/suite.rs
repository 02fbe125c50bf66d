//! What every store must do, on PostgreSQL.

mod support;

use support::Place;

leasehold_backend_suite::every_store!(Place);
leasehold_backend_suite::whole_batches!(Place);
