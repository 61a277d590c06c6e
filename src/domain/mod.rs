//! Plain immutable types: what Runledger keeps and how it is asked for. No I/O, no clock, no framework.

pub mod append;
pub mod audit;
pub mod audit_events;
pub mod checkpoint;
pub mod diff;
pub mod draft;
pub mod evidence;
pub mod export;
pub mod fair;
pub mod filter;
pub mod ids;
pub mod incident;
pub mod input;
pub mod ledger;
pub mod page;
pub mod payload;
pub mod policy;
pub mod record;
pub mod replay;
pub mod run;
pub mod scope;
pub mod settle;
pub mod source;
pub mod span_content;
pub mod strict_json;
pub mod system;
pub mod telemetry_series;
pub mod time;
pub mod trace;
pub mod verification;
pub mod vocabulary;

#[cfg(test)]
pub(crate) mod samples;
