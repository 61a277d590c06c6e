//! The GraphQL API: types and resolvers over [`LogsFacade`](crate::facade::LogsFacade), and the guard in front of them.
//!
//! A resolver is one expression over the facade; paging is in [`connection`], errors in [`error`], and objects of plain
//! columns go through [`row`].

pub mod audit;
pub mod audit_exports;
pub mod audit_filters;
pub mod audit_inputs;
pub mod audit_queries;
pub mod audit_views;
pub mod connection;
pub mod context;
pub mod entities;
pub mod enums;
pub mod error;
pub mod evidence;
pub mod exports;
pub mod filters;
pub mod gateway;
pub mod guard;
pub mod incidents;
pub mod inputs;
pub mod keys;
pub mod ledger;
pub mod ledger_entries;
pub mod ledger_erasure;
pub mod ledger_proofs;
pub mod mutation;
pub mod node;
pub mod policies;
pub mod prefetch;
pub mod query;
pub mod record_fields;
pub mod row;
pub mod run_governance;
pub mod run_list;
pub mod run_replay;
pub mod run_system;
pub mod run_topics;
pub mod run_trace;
pub mod runs;
pub mod scalars;
pub mod schema;
pub mod system;
pub mod system_audit;
pub mod system_inputs;
pub mod telemetry_series;
pub mod trace_fields;
pub mod trace_queries;
pub mod trace_seals;
pub mod trace_steps;
pub mod trace_summary;
pub mod traces;
pub mod verification;
