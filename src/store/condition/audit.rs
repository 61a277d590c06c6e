//! Filters of audit entries and exports.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Condition, Expr};

use super::All;
use crate::domain::filter::{AuditFilter, ExportFilter};
use crate::domain::ids::RunId;
use crate::domain::page::AsOf;
use crate::domain::vocabulary::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, ExportFormat, ExportScope, ExportStatus, Stream, Verdict,
};
use crate::entity::{audit_entry, log_export};
use crate::error::Result;

/// Which audit entries, of one of the two logs, as of a moment.
pub(in crate::store) fn audit_entries(
    backend: DbBackend,
    filter: &AuditFilter,
    as_of: Option<AsOf>,
) -> Result<Condition> {
    use audit_entry::Column as C;
    let mut all = All::new(backend);
    // Written out, not bound: each log has an index of its own rows only.
    all.and(Expr::cust(match filter.stream()? {
        Stream::Evidence => "\"audit_entry\".\"category\" <> 'ACCESS'",
        Stream::Access => "\"audit_entry\".\"category\" = 'ACCESS'",
    }));
    if let Some(as_of) = as_of {
        all.seq_below(C::Seq, as_of);
    }
    all.any(C::Category, filter.categories.as_ref(), |word: &AuditCategory| word.as_str())?;
    all.texts(C::EventType, filter.event_types.as_ref())?;
    all.any(C::EntityType, filter.entity_types.as_ref(), |word: &AuditEntityType| word.as_str())?;
    all.texts(C::EntityId, filter.entity_ids.as_ref())?;
    all.any(C::ActorType, filter.actor_types.as_ref(), |word: &ActorType| word.as_str())?;
    all.texts(C::ActorId, filter.actor_ids.as_ref())?;
    all.any(C::Verdict, filter.verdicts.as_ref(), |word: &Verdict| word.as_str())?;
    all.any(C::Action, filter.actions.as_ref(), |word: &AuditAction| word.as_str())?;
    all.texts(C::PolicyId, filter.policy_ids.as_ref())?;
    all.texts(C::RuleId, filter.rule_ids.as_ref())?;
    all.any(C::RunId, filter.run_ids.as_ref(), RunId::as_str)?;
    all.texts(C::CorrelationId, filter.correlation_ids.as_ref())?;
    all.texts(C::SourceComponent, filter.source_components.as_ref())?;
    all.time(C::OccurredAt, filter.occurred_at);
    all.time(C::CreatedAt, filter.created_at);
    Ok(all.condition)
}

/// Which exports, as of a moment.
pub(in crate::store) fn exports(backend: DbBackend, filter: &ExportFilter, as_of: Option<AsOf>) -> Result<Condition> {
    use log_export::Column as C;
    let mut all = All::new(backend);
    if let Some(as_of) = as_of {
        all.seq_below(C::Seq, as_of);
    }
    all.any(C::Scope, filter.scopes.as_ref(), |word: &ExportScope| word.as_str())?;
    all.any(C::Format, filter.formats.as_ref(), |word: &ExportFormat| word.as_str())?;
    all.any(C::Status, filter.statuses.as_ref(), |word: &ExportStatus| word.as_str())?;
    all.texts(C::RequestedBy, filter.requested_by.as_ref())?;
    all.any(C::RunId, filter.run_ids.as_ref(), RunId::as_str)?;
    all.texts(C::IncidentId, filter.incident_ids.as_ref())?;
    all.time(C::CreatedAt, filter.created_at);
    Ok(all.condition)
}
