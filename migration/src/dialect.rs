//! The one text of a table for both databases.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Word in braces, on PostgreSQL, on SQLite.
const WORDS: &[(&str, &str, &str)] = &[
    // Bytewise order on both: SQLite compares text so by itself.
    ("{text}", "TEXT COLLATE \"C\"", "TEXT"),
    ("{int}", "BIGINT", "INTEGER"),
    ("{bool}", "BOOLEAN", "INTEGER"),
    ("{uuid}", "UUID", "BLOB"),
    ("{bytes}", "BYTEA", "BLOB"),
    // A column that is computed from others; PostgreSQL can only store it.
    ("{computed}", "STORED", "VIRTUAL"),
    // STRICT refuses values of another type, as PostgreSQL does.
    ("{table}", "", "STRICT"),
    // The table itself is its primary key's tree, for tables with small rows that are read along that key.
    ("{clustered}", "", "STRICT, WITHOUT ROWID"),
];

/// Runs statements written with the words above.
pub async fn run(manager: &SchemaManager<'_>, statements: &str) -> Result<(), DbErr> {
    let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
    let sql = WORDS.iter().fold(statements.to_owned(), |sql, (word, postgres, sqlite)| {
        sql.replace(word, if is_postgres { postgres } else { sqlite })
    });
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Drops tables.
pub async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        manager.get_connection().execute_unprepared(&format!("DROP TABLE {table}")).await?;
    }
    Ok(())
}

/// Makes a table append-only: evidence is written once and never updated or deleted.
pub async fn append_only(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let refusals = match manager.get_database_backend() {
        DbBackend::Postgres => format!(
            "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION runledger_append_only();"
        ),
        _ => ["UPDATE", "DELETE"]
            .map(|operation| {
                format!(
                    "CREATE TRIGGER {table}_no_{} BEFORE {operation} ON {table} BEGIN \
                     SELECT RAISE(ABORT, '{table} is append-only: {operation} is refused'); END;",
                    operation.to_lowercase()
                )
            })
            .concat(),
    };
    manager.get_connection().execute_unprepared(&refusals).await?;
    Ok(())
}

/// Makes `payload` append-only but for rows that an event of the ledger names, which may be deleted.
pub async fn guard_payloads(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let triggers = match manager.get_database_backend() {
        DbBackend::Postgres => {
            "CREATE TRIGGER payload_append_only BEFORE UPDATE OR TRUNCATE ON payload
                FOR EACH STATEMENT EXECUTE FUNCTION runledger_append_only();
             CREATE FUNCTION runledger_erase_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NOT EXISTS (SELECT 1 FROM ledger_event WHERE tenant_id = OLD.tenant_id
                    AND kind IN ('erase', 'prune') AND subject = OLD.record_id::text || '/' || OLD.part) THEN
                    RAISE EXCEPTION 'payload is append-only: % is refused', TG_OP;
                END IF;
                RETURN OLD;
             END $$;
             CREATE TRIGGER payload_no_delete BEFORE DELETE ON payload
                FOR EACH ROW EXECUTE FUNCTION runledger_erase_only();"
        }
        _ => {
            "CREATE TRIGGER payload_no_update BEFORE UPDATE ON payload BEGIN
                SELECT RAISE(ABORT, 'payload is append-only: UPDATE is refused'); END;
             CREATE TRIGGER payload_no_delete BEFORE DELETE ON payload WHEN NOT EXISTS (
                SELECT 1 FROM ledger_event WHERE tenant_id = OLD.tenant_id AND kind IN ('erase', 'prune')
                AND subject = lower(substr(hex(OLD.record_id), 1, 8) || '-' || substr(hex(OLD.record_id), 9, 4) || '-'
                    || substr(hex(OLD.record_id), 13, 4) || '-' || substr(hex(OLD.record_id), 17, 4) || '-'
                    || substr(hex(OLD.record_id), 21)) || '/' || OLD.part)
                BEGIN SELECT RAISE(ABORT, 'payload is append-only: DELETE is refused'); END;"
        }
    };
    manager.get_connection().execute_unprepared(triggers).await.map(drop)
}

/// Drops the function behind the trigger of PostgreSQL.
pub async fn drop_erase_only_function(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared("DROP FUNCTION runledger_erase_only()").await?;
    }
    Ok(())
}

/// The function behind the triggers of PostgreSQL.
pub async fn create_append_only_function(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        let function = "CREATE FUNCTION runledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
            RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP; END $$";
        manager.get_connection().execute_unprepared(function).await?;
    }
    Ok(())
}

/// Drops it again.
pub async fn drop_append_only_function(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared("DROP FUNCTION runledger_append_only()").await?;
    }
    Ok(())
}
