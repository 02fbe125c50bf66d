//! leasehold.
