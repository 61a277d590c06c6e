//! The root fields, what they take, and the guard in front of them.

pub mod guard;
pub mod inputs;
pub mod mutation;
pub mod query;
pub mod schema;
