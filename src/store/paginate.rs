//! Pages in SQL: by (key, seq) for lists, by key alone for pages of many parents at once. A page reads one row more than
//! it holds, and starts where its cursor says: its cost does not depend on where it lies.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SimpleExpr};
use sea_orm::{DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Statement, Value};

use super::convert::{Columns, column_list};
use super::database::Database;
use super::keytable::Keys;
use super::scoped::scoped_statement;
use crate::domain::ids::TenantId;
use crate::domain::page::{Count, Direction, PageRequest, Position};
use crate::error::Result;

/// What a list is ordered by.
pub(super) struct SortKey {
    /// The non-null sort value; `None` when the order is seq alone.
    pub key: Option<SimpleExpr>,
    /// The place in the log, which decides between equal values.
    pub seq: SimpleExpr,
    /// Which way, both.
    pub direction: Direction,
}

impl SortKey {
    /// Rows behind `position` in this order, or before it.
    fn beyond(&self, position: Position, is_behind: bool) -> SimpleExpr {
        let is_greater = is_behind == (self.direction == Direction::Asc);
        let (row, bound) = match &self.key {
            None => (self.seq.clone(), Expr::val(position.seq)),
            Some(key) => (
                Expr::tuple([key.clone(), self.seq.clone()]),
                Expr::tuple([Expr::val(position.key), Expr::val(position.seq)]),
            ),
        };
        if is_greater { row.gt(bound) } else { row.lt(bound) }
    }
}

/// The rows of a page and one more; in reverse for a backward page.
pub(super) fn paginate<E: EntityTrait>(mut select: Select<E>, sort: &SortKey, page: &PageRequest) -> Select<E> {
    if let Some(after) = page.after {
        select = select.filter(sort.beyond(after, true));
    }
    if let Some(before) = page.before {
        select = select.filter(sort.beyond(before, false));
    }
    let order = if page.is_backward == (sort.direction == Direction::Asc) { Order::Desc } else { Order::Asc };
    if let Some(key) = &sort.key {
        select = select.order_by(key.clone(), order.clone());
    }
    select.order_by(sort.seq.clone(), order).limit(u64::from(page.size) + 1)
}

/// How many rows there are, counted to `cap` and no further.
pub(super) async fn count_capped<E: EntityTrait>(db: &Database, select: Select<E>, cap: u32) -> Result<Count> {
    let rows = select.select_only().expr(Expr::cust("1")).limit(u64::from(cap) + 1).into_query();
    let count = Query::select().expr(Expr::cust("COUNT(*)")).from_subquery(rows, "counted").take();
    let row = db.rows(db.backend.build(&count)).await?;
    let counted = row.first().map_or(Ok(0), |row| Columns::of(row, "counted")?.take())?;
    Ok(Count::capped(counted, cap))
}

/// A page of children of each of many parents, in one statement of constant text.
pub(super) struct ChildPages<'a> {
    pub table: &'static str,
    /// The parent's key in the child's primary key, after the tenant.
    pub parent: &'static str,
    /// The column after that, which orders the children of a parent.
    pub order: &'static str,
    /// A further condition on the child `c`, with `$3` and `$4` as its parameters, or empty.
    pub condition: &'a str,
    /// Its parameters; always two.
    pub values: [Value; 2],
    pub is_descending: bool,
    /// Children with a smaller value are left out.
    pub from: i64,
    /// Children with a larger value are left out.
    pub to: i64,
    /// Children of each parent.
    pub limit: u64,
}

impl ChildPages<'_> {
    /// The newest children of each parent, by revisions, of which the first is 1.
    pub fn newest(table: &'static str, parent: &'static str, limit: u32) -> Self {
        let values = [Value::String(None), Value::String(None)];
        let (from, to, limit) = (1, i64::MAX, u64::from(limit));
        Self { table, parent, order: "revision", condition: "", values, is_descending: true, from, to, limit }
    }

    /// The statement; its rows are grouped by parent and ordered within it.
    ///
    /// PostgreSQL takes a limited lateral select a parent. SQLite has no lateral, and a union of selects would be another
    /// statement for each number of parents: there each parent's range is bounded by the child that stands `limit` behind
    /// its start, found by walking the same key.
    pub fn statement<'k, E: EntityTrait>(
        self,
        db: &Database,
        tenant: &TenantId,
        parents: impl IntoIterator<Item = &'k str>,
    ) -> Result<Statement> {
        let Self { table, parent, order, condition, .. } = self;
        let (way, bound, absent) =
            if self.is_descending { ("DESC", ">", i64::MIN + 1) } else { ("ASC", "<", i64::MAX) };
        let inside = |child: &str| {
            let condition = condition.replace("c.", &format!("{child}."));
            format!(
                "{child}.tenant_id = $1 AND {child}.{parent} = k.value AND {child}.{order} BETWEEN $5 AND $6{condition}"
            )
        };
        let sql = if db.backend == DbBackend::Postgres {
            format!(
                "SELECT {columns} FROM unnest($2::text[]) AS k(value) CROSS JOIN LATERAL (SELECT * FROM {table} c \
                 WHERE {inside} ORDER BY c.{order} {way} LIMIT $7) c ORDER BY c.{parent}, c.{order} {way}",
                columns = column_list::<E>("c"),
                inside = inside("c"),
            )
        } else {
            format!(
                "SELECT {columns} FROM json_each($2) k CROSS JOIN {table} c WHERE {inside} AND c.{order} {bound} COALESCE(\
                 (SELECT d.{order} FROM {table} d WHERE {inside_d} ORDER BY d.{order} {way} LIMIT 1 OFFSET $7), {absent}) \
                 ORDER BY c.{parent}, c.{order} {way}",
                columns = column_list::<E>("c"),
                inside = inside("c"),
                inside_d = inside("d"),
            )
        };
        let keys = Keys::texts(parents).value(db.backend)?;
        let [first, second] = self.values;
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let values = [keys, first, second, self.from.into(), self.to.into(), limit.into()];
        Ok(scoped_statement(db, tenant, sql, values))
    }
}
