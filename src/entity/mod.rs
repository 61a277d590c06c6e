//! The tables, one file each, no logic. The order of the fields is the order in which `store` writes and reads columns;
//! the migrations say what the columns mean to the database, `domain` what they mean to everyone else.

#![expect(missing_docs, reason = "a column means what the domain's field of that name means")]

pub mod api_key;
pub mod idempotency;
pub mod ledger_log;
pub mod llm_run;
pub mod llm_run_tag;
pub mod payload;
pub mod step_fact;
pub mod tenant_secret;
pub mod trace;
pub mod trace_seal;
pub mod trace_state;
pub mod trace_step;
