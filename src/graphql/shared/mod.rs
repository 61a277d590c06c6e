//! What every noun uses: connections, scalars, enums, errors, rows.

pub mod connection;
pub mod context;
pub mod entities;
pub mod enums;
pub mod error;
pub mod evidence;
pub mod filters;
pub mod gateway;
pub mod node;
pub mod prefetch;
pub mod record_fields;
pub mod row;
pub mod scalars;
