//! Every test that needs a database or the whole server: one binary, a file a family.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected has failed")]
#![expect(clippy::print_stdout, reason = "a variant that is skipped says so")]

#[macro_use]
mod support;

mod access;
mod audit;
mod audit_lists;
mod audit_views;
mod auth;
mod backpressure;
mod checkpoints;
mod commands;
mod demo;
mod entities;
mod governance;
mod idempotency;
mod incidents;
mod inputs;
mod ledger_erasure;
mod ledger_feed;
mod ledger_json;
mod ledger_keys;
mod ledger_receipts;
mod limits;
mod metrics;
mod mutations;
mod nodes;
mod one_tenant;
mod operator;
mod operator_words;
mod otlp_fixtures;
mod own_audit;
mod own_records;
mod paging;
mod policies;
mod reads;
mod replay;
mod run_export;
mod sealing;
mod secret_inputs;
mod secrets;
mod shutdown;
mod statements;
mod store_append;
mod store_keys;
mod store_lists;
mod store_rates;
mod store_reads;
mod store_schema;
mod store_seals;
mod store_settings;
mod store_statistics;
mod store_steps;
mod store_trouble;
mod store_writer;
mod system;
mod system_otlp;
mod system_runs;
mod tenancy;
mod verify_columns;
mod verify_history;
mod verify_receipts;

mod tiles;
mod told;
mod traps;
mod verify_tampering;
mod verify_valid;
mod work;
