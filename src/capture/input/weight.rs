//! How much text an input brings, so that whoever captures it knows whether to do so beside the threads that serve others.

use serde_json::Value;

use crate::domain::input::{AuditEntryInput, ContentInput, RunInput, StepInput, TraceInput};
use crate::domain::system::SystemRecordInput;

/// What brings text.
pub trait Weigh {
    /// The bytes of its texts of unbounded length, roughly; names, which have a cap, are left out.
    fn weight(&self) -> usize;
}

impl Weigh for StepInput {
    fn weight(&self) -> usize {
        self.input.weight() + self.output.weight() + self.attributes.as_ref().map_or(0, Weigh::weight)
    }
}

impl Weigh for TraceInput {
    fn weight(&self) -> usize {
        self.plan.as_ref().map_or(0, Weigh::weight)
    }
}

impl Weigh for RunInput {
    fn weight(&self) -> usize {
        self.prompt.weight() + self.response.weight()
    }
}

impl Weigh for SystemRecordInput {
    fn weight(&self) -> usize {
        self.details.as_ref().map_or(0, Weigh::weight)
    }
}

impl Weigh for AuditEntryInput {
    fn weight(&self) -> usize {
        self.before.iter().chain(&self.after).map(Weigh::weight).sum()
    }
}

impl Weigh for ContentInput {
    fn weight(&self) -> usize {
        self.text.as_ref().map_or(0, String::len)
    }
}

impl Weigh for Value {
    fn weight(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            Self::Array(items) => items.iter().map(Weigh::weight).sum(),
            Self::Object(members) => members.iter().map(|(key, member)| key.len() + member.weight()).sum(),
            Self::Null | Self::Bool(_) | Self::Number(_) => 8,
        }
    }
}

impl<T: Weigh> Weigh for [T] {
    fn weight(&self) -> usize {
        self.iter().map(Weigh::weight).sum()
    }
}
