//! Permits that tenants share fairly, under the name that the transports know them by.

pub use crate::domain::fair::{FairPermit, FairPool, NoPermit};
