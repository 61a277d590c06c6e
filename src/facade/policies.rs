//! Reads of policy activations.

use super::LogsFacade;
use super::loaders::{ActivationById, ActivationsOf};
use crate::domain::ids::RecordId;
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::policy::PolicyActivation;
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;

/// A policy activation as it is stored.
pub type StoredActivation = Stored<PolicyActivation>;

impl LogsFacade {
    /// A page of activations, newest first: of one policy (batched), or of all.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, as for every read below.
    pub async fn list_policy_activations(
        &self,
        policy_id: Option<&str>,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Page<StoredActivation>> {
        let granted = self.require(Permission::RunsRead)?;
        let Some(policy_id) = policy_id else {
            let activations = self.store().list_policy_activations(&self.scope, page, as_of).await?;
            return self.audit.open(granted, activations);
        };
        let key = ActivationsOf(policy_id.to_owned(), page.clone(), as_of);
        Ok(self.loaders.loader.load_one(key).await?.unwrap_or_default())
    }

    /// How many activations there are, of one policy or of all, counted to `cap`.
    ///
    /// # Errors
    /// As above.
    pub async fn count_policy_activations(
        &self,
        policy_id: Option<&str>,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Count> {
        let granted = self.require(Permission::RunsRead)?;
        let count = self.store().count_policy_activations(&self.scope, policy_id, as_of, cap).await?;
        self.audit.open_made(granted, RecordKind::PolicyActivation, count)
    }

    /// The activation of a policy that is in force: its newest; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn current_activation(&self, policy_id: &str) -> Result<Option<StoredActivation>> {
        let page = self.list_policy_activations(Some(policy_id), &PageRequest::first(1), None).await?;
        Ok(page.rows.into_iter().next().map(|row| row.item))
    }

    /// An activation by record id; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn get_policy_activation_by_id(&self, id: RecordId) -> Result<Option<StoredActivation>> {
        self.loaders.loader.load_one(ActivationById(id)).await
    }
}
