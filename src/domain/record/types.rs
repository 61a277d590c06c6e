//! What the declarations of records name, and the declarations themselves, for whoever makes something of them.

pub use super::super::ids::{Digest, RunId, TraceId};
pub use super::super::time::Timestamp;
pub use super::super::vocabulary::*;

pub(crate) use super::super::audit::audit_entry;
pub(crate) use super::super::export::log_export;
pub(crate) use super::super::incident::incident_evidence;
pub(crate) use super::super::ledger::ledger_event;
pub(crate) use super::super::policy::policy_activation;
pub(crate) use super::super::run::llm_run;
pub(crate) use super::super::system::system_record;
pub(crate) use super::super::trace::{trace, trace_seal, trace_step};
