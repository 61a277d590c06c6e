//! Plain immutable types: what Runledger keeps and how it is asked for. No I/O, no clock, no framework.

pub mod append;
pub mod draft;
pub mod evidence;
pub mod filter;
pub mod ids;
pub mod input;
pub mod page;
pub mod payload;
pub mod run;
pub mod scope;
pub mod settle;
pub mod time;
pub mod trace;
pub mod vocabulary;
