//! The canonical bytes of every record: what a leaf is made of. Version 1.
//!
//! A leaf is the RFC 8785 canonical JSON of one flat object. Its members are
//! - `v`, the number 1;
//! - `kind`, the record's kind (`llm_run`, `trace_step`, `checkpoint` ...);
//! - `id`, the record's UUID in its plain hyphenated form, without the prefix of the public id; `tenant_id`; `created_at`;
//! - every column of the record by its name, except those that the ledger assigns when it appends (`seq`, `step_index`,
//!   `is_late`) and those that the database computes from others.
//!
//! A column that is null is left out, so a column that is added later changes no leaf that is older. The one column that is
//! not called by its own name is a step's `kind`, which is `step_kind` here; a ledger event's `kind` is the record's kind.
//!
//! | column | JSON |
//! |---|---|
//! | text, a name, a word of a vocabulary | string |
//! | integer | string of its decimal digits: no number in a leaf needs more care than `v` |
//! | boolean | `true` or `false` |
//! | instant | string, RFC 3339 in UTC with exactly six fraction digits and `Z` |
//! | hash, digest, commitment | string of 64 lower-case hex digits |
//! | `tags` of a run | array of strings, in bytewise order |
//! | JSON text: `filter` and `checkpoint_sizes` of an export, `detail` of a ledger event | string that holds the text |

mod writer;

use self::writer::{Version, member};
use crate::domain::audit::AuditEntry;
use crate::domain::export::LogExport;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::ledger::LedgerEvent;
use crate::domain::policy::PolicyActivation;
use crate::domain::record::{RecordHead, RecordRef};
use crate::domain::run::LlmRun;
use crate::domain::system::SystemRecord;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, TraceSeal, TraceStep};
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;

/// The members that every leaf has, besides its record's columns.
struct Envelope<'r> {
    v: Version,
    kind: RecordKind,
    id: RecordId,
    tenant_id: &'r TenantId,
    created_at: Timestamp,
}

/// The leaf of a record: canonical JSON of its columns.
///
/// # Errors
/// `INTERNAL` when the record cannot be written as JSON, which no valid record does.
pub fn leaf(head: RecordHead<'_>, record: RecordRef<'_>) -> Result<Vec<u8>> {
    let RecordHead { id, tenant_id, created_at } = head;
    let envelope = Envelope { v: Version, kind: record.kind(), id, tenant_id, created_at };
    // Most leaves have 600 to 1,000 bytes; a second allocation costs more than the unused rest.
    let mut out = Vec::with_capacity(1_024);
    match record {
        RecordRef::Run(run) => llm_run(&mut out, &envelope, run),
        RecordRef::Trace(trace) => self::trace(&mut out, &envelope, trace),
        RecordRef::Step(step) => trace_step(&mut out, &envelope, step),
        RecordRef::Seal(seal) => trace_seal(&mut out, &envelope, seal),
        RecordRef::System(system) => system_record(&mut out, &envelope, system),
        RecordRef::Audit(entry) => audit_entry(&mut out, &envelope, entry),
        RecordRef::Policy(activation) => policy_activation(&mut out, &envelope, activation),
        RecordRef::Incident(incident) => incident_evidence(&mut out, &envelope, incident),
        RecordRef::Export(export) => log_export(&mut out, &envelope, export),
        RecordRef::Event(event) => ledger_event(&mut out, &envelope, event),
    }
    // Every member begins with a comma; the first one's becomes the brace.
    if let Some(comma) = out.first_mut() {
        *comma = b'{';
    }
    out.push(b'}');
    Ok(out)
}

/// The comma, the name and the colon of a member.
macro_rules! comma_and_key {
    ($field:ident) => {
        concat!(",\"", stringify!($field), "\":")
    };
    ($field:ident $key:ident) => {
        concat!(",\"", stringify!($key), "\":")
    };
}

/// Declares the function that writes one kind, from its members in the order in which they are written. `[name]` is a
/// member of every leaf, `field as name` a column under another name. The record is taken apart without `..`, so a field
/// that is missing here does not compile; neither does a list that is out of order.
macro_rules! leaf_of {
    ($name:ident: $record:ident { $($($field:ident $(as $key:ident)?)? $([$envelope:ident])?),+ }) => {
        fn $name(out: &mut Vec<u8>, envelope: &Envelope<'_>, record: &$record) {
            const {
                assert!(is_sorted(&[$($(comma_and_key!($field $($key)?))? $(comma_and_key!($envelope))?),+]));
            }
            let $record { $($($field,)?)+ } = record;
            $(
                $(member(out, comma_and_key!($field $($key)?), $field);)?
                $(member(out, comma_and_key!($envelope), &envelope.$envelope);)?
            )+
        }
    };
}

/// Whether names of plain ASCII stand in the order of their UTF-16 units, each once. A name that begins another is the
/// smaller one, since its quotation mark is smaller than any letter or underscore.
const fn is_sorted(names: &[&str]) -> bool {
    let mut next = 1;
    while next < names.len() {
        let (left, right) = (names[next - 1].as_bytes(), names[next].as_bytes());
        let mut at = 0;
        while at < left.len() && at < right.len() && left[at] == right[at] {
            at += 1;
        }
        if at == left.len() || at == right.len() || left[at] > right[at] {
            return false;
        }
        next += 1;
    }
    true
}

leaf_of!(llm_run: LlmRun {
    actor_id,
    actor_type,
    agent_id,
    cached_input_tokens,
    completed_at,
    correlation_id,
    cost_micros,
    [created_at],
    end_user_id,
    environment,
    error_type,
    execution_status,
    finish_reason,
    [id],
    input_tokens,
    is_synthetic,
    [kind],
    model,
    name,
    operation,
    output_tokens,
    price_version,
    prompt_hash,
    provider,
    reasoning_tokens,
    response_hash,
    revision,
    run_id,
    service_instance_id,
    service_name,
    service_version,
    session_id,
    source,
    started_at,
    step_count,
    synthetic_scenario_id,
    tags,
    [tenant_id],
    time_to_first_token_us,
    trace_id,
    trace_root_hash,
    [v],
});

leaf_of!(trace: Trace {
    agent_id,
    correlation_id,
    [created_at],
    environment,
    frozen_at,
    [id],
    is_synthetic,
    [kind],
    parent_run_id,
    plan_commitment,
    plan_hash,
    replay_mode,
    run_id,
    schema_version,
    seed,
    service_instance_id,
    service_name,
    service_version,
    started_at,
    synthetic_scenario_id,
    [tenant_id],
    trace_id,
    [v],
});

leaf_of!(trace_step: TraceStep {
    attempt,
    attributes_commitment,
    caller_index,
    content_commitment,
    cost_micros,
    [created_at],
    duplicate_of,
    duration_us,
    [id],
    idempotency_key,
    input_hash,
    input_tokens,
    [kind],
    model,
    outcome_category,
    outcome_code,
    output_hash,
    output_tokens,
    parent_span_id,
    provider,
    response_id,
    skill_name,
    span_id,
    started_at,
    status,
    kind as step_kind,
    [tenant_id],
    trace_id,
    [v],
});

leaf_of!(trace_seal: TraceSeal {
    [created_at],
    ended_at,
    [id],
    [kind],
    metadata_commitment,
    reason,
    revision,
    root_hash,
    status,
    step_count,
    [tenant_id],
    trace_id,
    [v],
});

leaf_of!(system_record: SystemRecord {
    actor_id,
    actor_type,
    caused_by,
    component,
    correlation_id,
    [created_at],
    details_commitment,
    event_type,
    [id],
    [kind],
    occurred_at,
    service_instance_id,
    service_name,
    severity,
    source_component,
    summary,
    [tenant_id],
    [v],
});

leaf_of!(audit_entry: AuditEntry {
    action,
    action_reason_commitment,
    actor_id,
    actor_type,
    after_state_commitment,
    before_state_commitment,
    category,
    correlation_id,
    [created_at],
    entity_id,
    entity_type,
    event_type,
    [id],
    [kind],
    occurred_at,
    policy_id,
    rule_id,
    run_id,
    source_component,
    [tenant_id],
    [v],
    verdict,
});

leaf_of!(policy_activation: PolicyActivation {
    activated_at,
    actor_id,
    actor_type,
    approval_path,
    confidence_ppm,
    confidence_version,
    [created_at],
    [id],
    [kind],
    loop_trace_id,
    policy_id,
    source_component,
    source_pattern_id,
    source_recovery_id,
    [tenant_id],
    [v],
});

leaf_of!(incident_evidence: IncidentEvidence {
    actual,
    correlation_id,
    [created_at],
    [id],
    incident_id,
    inflection_at,
    inflection_step_index,
    [kind],
    opened_at,
    policy_id,
    resolved_at,
    revision,
    severity,
    source_component,
    source_run_id,
    status,
    [tenant_id],
    threshold,
    title,
    [v],
    violation_at,
    violation_step_index,
    violation_type,
});

leaf_of!(log_export: LogExport {
    byte_count,
    checkpoint_sizes,
    checksum,
    correlation_id,
    [created_at],
    filter,
    format,
    [id],
    incident_id,
    [kind],
    manifest_hash,
    origin,
    record_count,
    requested_by,
    run_id,
    scope,
    source_component,
    status,
    [tenant_id],
    [v],
});

leaf_of!(ledger_event: LedgerEvent {
    actor_id,
    actor_type,
    [created_at],
    detail,
    [id],
    kind,
    reason,
    subject,
    [tenant_id],
    [v],
});

#[cfg(test)]
mod tests;
