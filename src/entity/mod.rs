//! The tables, no logic: those of evidence from the declarations of its records, each other in a file of its own. The order
//! of the fields is the order in which `store` writes and reads columns; the migrations say what the columns mean to the
//! database, `domain` what they mean to everyone else: a column means what the domain's field of that name means.

pub mod api_key;
pub mod idempotency;
pub mod ledger_anomaly;
pub mod ledger_checkpoint;
pub mod ledger_entry;
pub mod ledger_key;
pub mod ledger_log;
pub mod ledger_node;
pub mod ledger_verification;
pub mod ledger_watch;
pub mod llm_run_tag;
pub mod metric_point;
pub mod metric_series;
pub mod payload;
pub mod principal;
mod record;
pub mod span_content;
pub mod step_fact;
pub mod tenant_secret;
pub mod trace_state;

pub use self::record::*;
