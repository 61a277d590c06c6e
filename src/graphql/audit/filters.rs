//! Filters and orders of audit entries and exports.

use async_graphql::{ID, InputObject};

use crate::domain::filter;
use crate::domain::ids::RunId;
use crate::domain::page::Direction;
use crate::domain::vocabulary;
use crate::error::Result;
use crate::graphql::shared::enums::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, AuditOrderField, ExportFormat, ExportScope, ExportStatus,
    OrderDirection, Verdict, Word,
};
use crate::graphql::shared::filters::{TimeRange, ids, range, texts, values};

/// Which entries of the audit ledger. Every field that is given must fit; a list fits when any of its values does, and
/// an empty list fits nothing. Lists hold at most 200 values.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct AuditFilter {
    /// Entries of any of these categories. All but ACCESS when it is not given: ACCESS entries stand in a log of their
    /// own and are listed by [ACCESS] alone; together with other categories it is an error.
    category: Option<Vec<AuditCategory>>,
    #[graphql(flatten)]
    rest: AuditViewFilter,
}

/// Which entries of one view of the audit ledger. Every field that is given must fit; a list fits when any of its values
/// does, and an empty list fits nothing. Lists hold at most 200 values.
#[derive(Clone, Debug, Default, PartialEq, Eq, InputObject)]
pub struct AuditViewFilter {
    /// Entries of any of these types, for example "LimitBreached".
    event_type: Option<Vec<String>>,
    /// Entries about any of these kinds of things.
    entity_type: Option<Vec<AuditEntityType>>,
    /// Entries about any of these things.
    entity_id: Option<Vec<String>>,
    /// Entries of any of these kinds of actors.
    actor_type: Option<Vec<ActorType>>,
    /// Entries of any of these actors.
    actor_id: Option<Vec<String>>,
    /// Entries whose rule said any of these.
    verdict: Option<Vec<Verdict>>,
    /// Entries where any of these was done.
    action: Option<Vec<AuditAction>>,
    /// Entries that name any of these policies.
    policy_id: Option<Vec<ID>>,
    /// Entries that name any of these rules.
    rule_id: Option<Vec<String>>,
    /// Entries that hold any of these names of runs, exactly as they hold it. LlmRun.governance finds a run's entries
    /// under the name of its trace too.
    run_id: Option<Vec<ID>>,
    /// Entries with any of these ids for cross-reference.
    correlation_id: Option<Vec<String>>,
    /// Entries that any of these wrote, for example "otlp" or "graphql".
    source_component: Option<Vec<String>>,
    /// Entries of what happened in this range.
    occurred_at: Option<TimeRange>,
    /// Entries that were recorded in this range.
    created_at: Option<TimeRange>,
}

/// An order of audit entries. Without one they come newest first, by sequence.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct AuditOrder {
    /// What to order by.
    #[graphql(default_with = "Word(filter::AuditSort::Seq)")]
    field: AuditOrderField,
    /// Which way round.
    #[graphql(default_with = "Word(Direction::Desc)")]
    direction: OrderDirection,
}

/// Which exports. Every field that is given must fit; a list fits when any of its values does, and an empty list fits
/// nothing. Lists hold at most 200 values.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct ExportFilter {
    /// Exports that cover any of these parts of the domain.
    scope: Option<Vec<ExportScope>>,
    /// Exports in any of these formats.
    format: Option<Vec<ExportFormat>>,
    /// Exports that ended in any of these ways.
    status: Option<Vec<ExportStatus>>,
    /// Exports that any of these asked for.
    requested_by: Option<Vec<String>>,
    /// Exports of any of these runs.
    run_id: Option<Vec<ID>>,
    /// Exports of any of these incidents.
    incident_id: Option<Vec<ID>>,
    /// Exports that were done in this range.
    created_at: Option<TimeRange>,
}

impl AuditFilter {
    /// The domain's filter.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` for a list or text that is too long, `BAD_USER_INPUT` for a value that cannot be and for a filter
    /// over both logs; they name it.
    pub fn to_domain(&self) -> Result<filter::AuditFilter> {
        let categories = values("filter.category", self.category.as_ref())?;
        let filter = filter::AuditFilter { categories, ..self.rest.to_domain()? };
        filter.stream()?;
        Ok(filter)
    }
}

impl AuditViewFilter {
    fn to_domain(&self) -> Result<filter::AuditFilter> {
        let names = |field, names: Option<&Vec<ID>>| {
            let names = names.map(|names| names.iter().map(|name| name.0.clone()).collect());
            texts(field, names.as_ref())
        };
        Ok(filter::AuditFilter {
            categories: None,
            event_types: texts("filter.eventType", self.event_type.as_ref())?,
            entity_types: values("filter.entityType", self.entity_type.as_ref())?,
            entity_ids: texts("filter.entityId", self.entity_id.as_ref())?,
            actor_types: values("filter.actorType", self.actor_type.as_ref())?,
            actor_ids: texts("filter.actorId", self.actor_id.as_ref())?,
            verdicts: values("filter.verdict", self.verdict.as_ref())?,
            actions: values("filter.action", self.action.as_ref())?,
            policy_ids: names("filter.policyId", self.policy_id.as_ref())?,
            rule_ids: texts("filter.ruleId", self.rule_id.as_ref())?,
            run_ids: ids("filter.runId", self.run_id.as_deref(), RunId::parse)?,
            correlation_ids: texts("filter.correlationId", self.correlation_id.as_ref())?,
            source_components: texts("filter.sourceComponent", self.source_component.as_ref())?,
            occurred_at: range("filter.occurredAt", self.occurred_at.as_ref(), TimeRange::to_domain)?,
            created_at: range("filter.createdAt", self.created_at.as_ref(), TimeRange::to_domain)?,
        })
    }

    /// The domain's filter of one view.
    ///
    /// # Errors
    /// As [`AuditFilter::to_domain`].
    pub fn of_category(filter: Option<&Self>, category: vocabulary::AuditCategory) -> Result<filter::AuditFilter> {
        let rest = filter.map(Self::to_domain).transpose()?.unwrap_or_default();
        Ok(filter::AuditFilter { categories: Some(vec![category]), ..rest })
    }
}

impl AuditOrder {
    /// The domain's order; newest first where none is given.
    #[must_use]
    pub fn to_domain(order: Option<&Self>) -> filter::AuditOrder {
        order.map_or_else(filter::AuditOrder::default, |order| filter::AuditOrder {
            sort: order.field.into(),
            direction: order.direction.into(),
        })
    }
}

impl ExportFilter {
    /// The domain's filter.
    ///
    /// # Errors
    /// As [`AuditFilter::to_domain`].
    pub fn to_domain(&self) -> Result<filter::ExportFilter> {
        let incidents = self.incident_id.as_ref().map(|ids| ids.iter().map(|id| id.0.clone()).collect());
        Ok(filter::ExportFilter {
            scopes: values("filter.scope", self.scope.as_ref())?,
            formats: values("filter.format", self.format.as_ref())?,
            statuses: values("filter.status", self.status.as_ref())?,
            requested_by: texts("filter.requestedBy", self.requested_by.as_ref())?,
            run_ids: ids("filter.runId", self.run_id.as_deref(), RunId::parse)?,
            incident_ids: texts("filter.incidentId", incidents.as_ref())?,
            created_at: range("filter.createdAt", self.created_at.as_ref(), TimeRange::to_domain)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Detail};
    use async_graphql::{InputType, Value, value};

    fn filter(value: Value) -> AuditFilter {
        AuditFilter::parse(Some(value)).map_err(|_| ()).expect("a filter")
    }

    #[test]
    fn the_two_logs_are_listed_apart() {
        use vocabulary::Stream::{Access, Evidence};
        for (given, log) in [
            (value!({}), Evidence),
            (value!({"category": ["GOVERNANCE", "EXPORT"]}), Evidence),
            (value!({"category": []}), Evidence),
            (value!({"category": "ACCESS"}), Access),
        ] {
            assert_eq!(filter(given).to_domain().expect("one log").stream().expect("one log"), log);
        }
        let error = filter(value!({"category": ["ACCESS", "EXPORT"]})).to_domain().expect_err("both logs");
        assert_eq!(error.detail(), &Detail::Field("filter.category".to_owned()));
    }

    #[test]
    fn what_was_given_is_shown_flat_and_bounded() {
        let given = value!({"category": ["IDENTITY"], "actorId": ["jo"]});
        assert_eq!(crate::graphql::shared::connection::given(Some(&filter(given.clone()))), given);
        let many: Vec<_> = (0..201).map(|i| Value::from(i.to_string())).collect();
        let error = filter(value!({"policyId": many})).to_domain().expect_err("too many");
        assert_eq!(error.code(), Code::LimitExceeded);
    }
}
