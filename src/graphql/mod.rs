//! The GraphQL API: types and resolvers over [`LogsFacade`](crate::facade::LogsFacade), and the guard in front of them.
//!
//! A resolver is one expression over the facade; paging is in [`shared::connection`], errors in [`shared::error`], and objects of plain
//! columns go through [`shared::row`].

pub mod audit;
pub mod export;
pub mod incident;
pub mod key;
pub mod ledger;
pub mod policy;
pub mod root;
pub mod run;
pub mod shared;
pub mod system;
pub mod trace;
