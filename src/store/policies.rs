//! Reads of policy activations. The newest activation of a policy is the current one.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, QueryFilter, QueryTrait, Select, Value};

use super::Store;
use super::convert::{decode, decode_all};
use super::paginate::{ChildPages, SortKey, count_capped, paginate};
use super::scoped::{any_id, scoped};
use super::unread::Unread;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::page::{AsOf, Count, Direction, Page, PageRequest, Position, Row};
use crate::domain::policy::PolicyActivation;
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::entity::policy_activation;
use crate::error::Result;

const TABLE: &str = "policy_activation";

type StoredActivation = Stored<PolicyActivation>;

fn row(activation: StoredActivation) -> Row<StoredActivation> {
    Row { position: Position { key: activation.seq, seq: activation.seq }, item: activation }
}

fn select(tenant: &TenantId, policy_id: Option<&str>, as_of: Option<AsOf>) -> Select<policy_activation::Entity> {
    use policy_activation::Column as C;
    let mut select = scoped::<policy_activation::Entity>(tenant);
    if let Some(policy_id) = policy_id {
        select = select.filter(C::PolicyId.eq(policy_id));
    }
    if let Some(as_of) = as_of {
        select = select.filter(C::Seq.lt(as_of.size));
    }
    select
}

impl Store {
    /// A page of the activations of all policies, newest first.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn list_policy_activations(
        &self,
        scope: &Scope,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Unread<Page<StoredActivation>>> {
        let seq = policy_activation::Column::Seq.into_expr();
        let sort = SortKey { key: None, seq, direction: Direction::Desc };
        let select = paginate(select(&scope.tenant, None, as_of), &sort, page);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let found = decode_all(&rows, TABLE, |columns| decode(columns, &scope.tenant))?;
        Ok(Unread(page.page(found.into_iter().map(row).collect())))
    }

    /// How many activations there are, of one policy or of all, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_policy_activations`].
    pub async fn count_policy_activations(
        &self,
        scope: &Scope,
        policy_id: Option<&str>,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Unread<Count>> {
        count_capped(self.db(), select(&scope.tenant, policy_id, as_of), cap).await.map(Unread)
    }

    /// A page of the activations of each policy, newest first; one statement for all policies. Every policy that was asked
    /// for is in the answer.
    ///
    /// # Errors
    /// As for [`Self::list_policy_activations`].
    pub async fn activations_by_policy_id(
        &self,
        scope: &Scope,
        policy_ids: &[String],
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Unread<HashMap<String, Page<StoredActivation>>>> {
        let newest = as_of.map_or(i64::MAX, |as_of| as_of.size.saturating_sub(1));
        let pages = ChildPages {
            table: TABLE,
            parent: "policy_id",
            order: "seq",
            condition: "",
            values: [Value::String(None), Value::String(None)],
            is_descending: !page.is_backward,
            from: page.before.map_or(0, |before| before.seq.saturating_add(1)),
            to: page.after.map_or(newest, |after| after.seq.saturating_sub(1).min(newest)),
            limit: u64::from(page.size) + 1,
        };
        let names = policy_ids.iter().map(String::as_str);
        let statement = pages.statement::<policy_activation::Entity>(self.db(), &scope.tenant, names)?;
        let rows = self.db().rows(statement).await?;
        let mut found: HashMap<String, Vec<Row<StoredActivation>>> =
            policy_ids.iter().map(|policy_id| (policy_id.clone(), Vec::new())).collect();
        for activation in decode_all(&rows, TABLE, |columns| decode::<PolicyActivation>(columns, &scope.tenant))? {
            found.entry(activation.policy_id.clone()).or_default().push(row(activation));
        }
        Ok(Unread(found.into_iter().map(|(policy_id, rows)| (policy_id, page.page(rows))).collect()))
    }

    /// Activations by record id; a missing one is absent.
    ///
    /// # Errors
    /// As for [`Self::list_policy_activations`].
    pub async fn policy_activations_by_id(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, StoredActivation>>> {
        let wanted = any_id(self.db().backend, policy_activation::Column::Id.into_expr(), ids)?;
        let select = select(&scope.tenant, None, None).filter(wanted);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let found = decode_all(&rows, TABLE, |columns| decode(columns, &scope.tenant))?;
        Ok(Unread(found.into_iter().map(|activation| (activation.id, activation)).collect()))
    }
}
