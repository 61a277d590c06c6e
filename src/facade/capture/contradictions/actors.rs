//! The same of who acted, and of the run that an audit entry concerns.

use serde_json::Value;

use crate::domain::input::AuditEntryInput;
use crate::domain::policy::PolicyActivationInput;
use crate::domain::vocabulary::ActorType;
use crate::error::{Error, Result};

/// Members of an audited state that name the run which an entry concerns.
const RUN_MEMBERS: [&str; 2] = ["run_id", "runId"];

/// An actor is a kind and an id.
///
/// # Errors
/// `BAD_USER_INPUT` that names the one that is missing.
pub(in crate::facade::capture) fn check_actor(actor_type: Option<ActorType>, actor_id: Option<&str>) -> Result<()> {
    match (actor_type, actor_id) {
        (Some(actor_type), None) => {
            let actor_type = actor_type.as_str();
            let message = format!("actorId says who it was, where actorType says {actor_type}; give both or neither");
            Err(Error::input("actorId", message))
        }
        (None, Some(_)) => {
            Err(Error::input("actorType", "actorType says what kind of actor actorId is; give both or neither"))
        }
        _ => Ok(()),
    }
}

/// A person who approves is the actor, where one is named.
///
/// # Errors
/// `BAD_USER_INPUT` that names both.
pub(in crate::facade::capture) fn check_approver(input: &PolicyActivationInput) -> Result<()> {
    let Some(person) = input.approval_path.strip_prefix("human:") else {
        return check_actor(input.actor_type, input.actor_id.as_deref());
    };
    let path = &input.approval_path;
    if let Some(actor_type) = input.actor_type.filter(|actor_type| *actor_type != ActorType::Human) {
        let message = format!(
            "actorType is {}, but approvalPath is {path:.64?}, on the word of a person; send HUMAN, or leave actorType out",
            actor_type.as_str()
        );
        return Err(Error::input("actorType", message));
    }
    match input.actor_id.as_deref().filter(|actor_id| *actor_id != person) {
        Some(actor_id) => {
            let message = format!(
                "actorId is {actor_id:.64?}, but approvalPath is {path:.64?}; name one person, or leave actorId out"
            );
            Err(Error::input("actorId", message))
        }
        None => Ok(()),
    }
}

/// An entry's run is the one that its states name: the state after, else the state before.
///
/// # Errors
/// `BAD_USER_INPUT` that names both.
pub(in crate::facade::capture) fn check_run_of_entry(entry: &AuditEntryInput) -> Result<()> {
    let mut first = entry.run_id.as_ref().map(|run_id| ("runId".to_owned(), run_id.as_str()));
    for (name, state) in [("after", entry.after.as_ref()), ("before", entry.before.as_ref())] {
        let members =
            RUN_MEMBERS.iter().filter_map(|member| Some((*member, state?.get(member).and_then(Value::as_str)?)));
        let mut is_named = false;
        for (member, run_id) in members {
            is_named = true;
            let place = format!("{name}.{member}");
            match &first {
                Some((other, one)) if *one != run_id => {
                    let message = format!(
                        "{other} is {one:.64?}, but {place} is {run_id:.64?}, and an entry concerns one run; send the same, or \
                         leave runId out"
                    );
                    return Err(Error::input(place, message));
                }
                Some(_) => {}
                None => first = Some((place, run_id)),
            }
        }
        // What held before may have been of another run.
        if is_named {
            break;
        }
    }
    Ok(())
}
