//! leasehold-http.
