//! leasehold-cli.
