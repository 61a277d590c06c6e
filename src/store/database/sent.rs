//! Tells an observer of the statements that are sent to PostgreSQL: a test asks the server how it would carry out each.

use std::sync::OnceLock;

use sea_orm::{DbBackend, Statement, Value};

/// Is told a statement's text and those of its values that are texts.
pub type Observer = fn(&str, &[Option<&str>]);

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Has every statement told from now on. The first observer of a process stays.
pub fn observe_statements(observer: Observer) {
    OBSERVER.get_or_init(|| observer);
}

pub(in crate::store) fn note(statement: &Statement) {
    if statement.db_backend == DbBackend::Postgres
        && let Some(observer) = OBSERVER.get()
    {
        let values = statement.values.iter().flat_map(|values| &values.0);
        let texts = values.map(|value| if let Value::String(Some(text)) = value { Some(text.as_str()) } else { None });
        observer(&statement.sql, &texts.collect::<Vec<_>>());
    }
}

/// A statement whose values are columns.
pub(in crate::store) fn note_columns(sql: &str) {
    if let Some(observer) = OBSERVER.get() {
        observer(sql, &[]);
    }
}
