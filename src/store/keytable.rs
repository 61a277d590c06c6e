//! Keys as one value or as a table, so that one prepared statement of constant text serves any number of them: arrays on
//! PostgreSQL, JSON on SQLite. The one place that knows both forms.

use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait, SimpleExpr};
use sea_orm::{DbBackend, Value};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::domain::ids::RecordId;
use crate::error::{Error, Result};

/// Keys of one kind, in order.
pub(super) enum Keys {
    Texts(Vec<String>),
    Numbers(Vec<i64>),
    Ids(Vec<Uuid>),
}

impl Keys {
    /// Distinct texts that a row can have. One with U+0000 is on no row; PostgreSQL would refuse it, SQLite find nothing.
    pub fn texts<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        let mut keys: Vec<&str> = keys.into_iter().filter(|key| !key.contains('\0')).collect();
        keys.sort_unstable();
        keys.dedup();
        Self::Texts(keys.into_iter().map(str::to_owned).collect())
    }

    /// Record ids.
    pub fn records(ids: &[RecordId]) -> Self {
        Self::Ids(ids.iter().map(|id| id.0).collect())
    }

    /// The keys as one value.
    pub fn value(&self, backend: DbBackend) -> Result<Value> {
        if backend != DbBackend::Postgres {
            let keys: Vec<Json> = (0..self.count()).map(|at| self.json(at)).collect();
            return Ok(serde_json::to_string(&keys).map_err(Error::internal)?.into());
        }
        Ok(match self {
            Self::Texts(keys) => array(ArrayType::String, keys.iter().map(|key| key.as_str().into())),
            Self::Numbers(keys) => array(ArrayType::BigInt, keys.iter().map(|key| (*key).into())),
            Self::Ids(keys) => array(ArrayType::Uuid, keys.iter().map(|key| (*key).into())),
        })
    }

    /// What makes a column any of the keys, which are the value of a parameter.
    pub fn among(&self, backend: DbBackend, parameter: &str) -> String {
        if backend == DbBackend::Postgres {
            return format!("= ANY({parameter}::{}[])", self.postgres_type());
        }
        format!("IN (SELECT {} FROM json_each({parameter}))", self.of_json("value"))
    }

    /// The condition that a column is any of the keys.
    fn any(&self, backend: DbBackend, column: SimpleExpr) -> Result<SimpleExpr> {
        let keys = Expr::val(self.value(backend)?);
        if backend == DbBackend::Postgres {
            return Ok(column.eq(PgFunc::any(keys)));
        }
        let of_json = self.of_json("value");
        Ok(Expr::cust_with_exprs(format!("? IN (SELECT {of_json} FROM json_each(?))"), [column, keys]))
    }

    const fn count(&self) -> usize {
        match self {
            Self::Texts(keys) => keys.len(),
            Self::Numbers(keys) => keys.len(),
            Self::Ids(keys) => keys.len(),
        }
    }

    const fn postgres_type(&self) -> &'static str {
        match self {
            Self::Texts(_) => "text",
            Self::Numbers(_) => "bigint",
            Self::Ids(_) => "uuid",
        }
    }

    /// A key as SQLite's JSON has it: ids are written in hexadecimal.
    fn json(&self, at: usize) -> Json {
        match self {
            Self::Texts(keys) => keys.get(at).map(String::as_str).into(),
            Self::Numbers(keys) => keys.get(at).copied().into(),
            Self::Ids(keys) => keys.get(at).map(|id| id.simple().to_string()).into(),
        }
    }

    /// And back.
    fn of_json(&self, value: &str) -> String {
        if matches!(self, Self::Ids(_)) { format!("unhex({value})") } else { value.to_owned() }
    }
}

/// Keys of several columns as a table: the last parameters of a statement.
pub(super) struct KeyTable {
    columns: Vec<(&'static str, Keys)>,
}

impl KeyTable {
    /// A table of the keys' places in their list, to which columns are added.
    pub fn placed(count: usize) -> Self {
        let places = (0..count).map(|place| i64::try_from(place).unwrap_or(i64::MAX)).collect();
        Self { columns: vec![("place", Keys::Numbers(places))] }
    }

    /// A table without columns yet.
    pub const fn new() -> Self {
        Self { columns: Vec::new() }
    }

    /// A column of texts. An absent one, and one with U+0000, which is on no row, is empty, as no name is.
    pub fn texts<'k>(mut self, name: &'static str, texts: impl Iterator<Item = &'k str>) -> Self {
        let texts = texts.map(|text| if text.contains('\0') { String::new() } else { text.to_owned() }).collect();
        self.columns.push((name, Keys::Texts(texts)));
        self
    }

    /// A column of numbers.
    pub fn numbers(mut self, name: &'static str, numbers: impl Iterator<Item = i64>) -> Self {
        self.columns.push((name, Keys::Numbers(numbers.collect())));
        self
    }

    /// A column of ids.
    pub fn ids(mut self, name: &'static str, ids: impl Iterator<Item = Uuid>) -> Self {
        self.columns.push((name, Keys::Ids(ids.collect())));
        self
    }

    /// The table `alias` for a FROM, whose parameters begin with number `first`.
    pub fn table(&self, backend: DbBackend, alias: &str, first: usize) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        if backend == DbBackend::Postgres {
            let arrays =
                self.columns.iter().zip(first..).map(|((_, keys), at)| format!("${at}::{}[]", keys.postgres_type()));
            let arrays: Vec<String> = arrays.collect();
            return format!("unnest({}) AS {alias}({})", arrays.join(", "), names.join(", "));
        }
        let columns = self.columns.iter().enumerate().map(|(at, (name, keys))| {
            let cell = keys.of_json(&format!("value->>{at}"));
            format!("{cell} AS {name}")
        });
        let columns: Vec<String> = columns.collect();
        format!("(SELECT {} FROM json_each(${first})) {alias}", columns.join(", "))
    }

    /// The values of its parameters: one a column on PostgreSQL, one on SQLite.
    pub fn values(&self, backend: DbBackend) -> Result<Vec<Value>> {
        if backend == DbBackend::Postgres {
            return self.columns.iter().map(|(_, keys)| keys.value(backend)).collect();
        }
        let rows = self.columns.first().map_or(0, |(_, keys)| keys.count());
        let row = |at| self.columns.iter().map(|(_, keys)| keys.json(at)).collect::<Vec<Json>>();
        let rows: Vec<Vec<Json>> = (0..rows).map(row).collect();
        Ok(vec![serde_json::to_string(&rows).map_err(Error::internal)?.into()])
    }

    /// How many parameters it takes.
    pub fn parameters(&self, backend: DbBackend) -> usize {
        if backend == DbBackend::Postgres { self.columns.len() } else { 1 }
    }
}

/// Rows whose column has any of these texts; none has any of no texts. A single one is compared by `=`, which lets
/// SQLite keep an index's order.
pub(super) fn any_text<'k>(
    backend: DbBackend,
    column: impl Into<SimpleExpr>,
    keys: impl IntoIterator<Item = &'k str>,
) -> Result<SimpleExpr> {
    let keys = Keys::texts(keys);
    match &keys {
        Keys::Texts(texts) if texts.is_empty() => Ok(nothing()),
        Keys::Texts(texts) if texts.len() == 1 => Ok(column.into().eq(texts.concat())),
        _ => keys.any(backend, column.into()),
    }
}

/// Rows whose column has any of these numbers.
pub(super) fn any_number(backend: DbBackend, column: impl Into<SimpleExpr>, keys: &[i64]) -> Result<SimpleExpr> {
    if keys.is_empty() { Ok(nothing()) } else { Keys::Numbers(keys.to_vec()).any(backend, column.into()) }
}

/// Rows whose column has any of these record ids.
pub(super) fn any_id(backend: DbBackend, column: impl Into<SimpleExpr>, ids: &[RecordId]) -> Result<SimpleExpr> {
    Keys::records(ids).any(backend, column.into())
}

fn nothing() -> SimpleExpr {
    Expr::cust("FALSE")
}

fn array(kind: ArrayType, values: impl Iterator<Item = Value>) -> Value {
    Value::Array(kind, Some(Box::new(values.collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_arrays_on_one_database_and_json_on_the_other() {
        let id = Uuid::from_u128(7);
        let keys = KeyTable::placed(2)
            .texts("a", ["x", "\0"].into_iter())
            .ids("b", [id, id].into_iter())
            .numbers("c", [3, 4].into_iter());
        assert_eq!(
            keys.table(DbBackend::Postgres, "k", 2),
            "unnest($2::bigint[], $3::text[], $4::uuid[], $5::bigint[]) AS k(place, a, b, c)"
        );
        assert_eq!((keys.parameters(DbBackend::Postgres), keys.parameters(DbBackend::Sqlite)), (4, 1));
        assert_eq!(keys.values(DbBackend::Postgres).expect("values").len(), 4);
        assert_eq!(
            keys.table(DbBackend::Sqlite, "k", 2),
            "(SELECT value->>0 AS place, value->>1 AS a, unhex(value->>2) AS b, value->>3 AS c FROM json_each($2)) k"
        );
        let json = format!("[[0,\"x\",\"{0}\",3],[1,\"\",\"{0}\",4]]", id.simple());
        assert_eq!(keys.values(DbBackend::Sqlite).expect("values"), [json.into()]);
    }

    #[test]
    fn keys_are_distinct_and_possible() {
        let keys = Keys::texts(["b", "a", "b", "no\0ne"]);
        assert_eq!(keys.value(DbBackend::Sqlite).expect("a value"), "[\"a\",\"b\"]".into());
        assert_eq!(keys.among(DbBackend::Postgres, "$2"), "= ANY($2::text[])");
        let ids = Keys::records(&[RecordId(Uuid::nil())]);
        assert_eq!(ids.among(DbBackend::Sqlite, "$2"), "IN (SELECT unhex(value) FROM json_each($2))");
    }
}
