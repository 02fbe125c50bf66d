//! leasehold-sdk.
