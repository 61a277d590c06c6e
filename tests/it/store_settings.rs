//! Settings of PostgreSQL that matter are those of each transaction: a pooler that hands sessions around loses others.

use runledger::domain::ids::TenantId;
use runledger::domain::scope::Actor;
use runledger::domain::vocabulary::ActorType;
use runledger::store::{Store, for_operator};
use sea_orm::DbBackend;

/// Raises what a transaction is set to, and where that comes from: `client` would be the session's.
const TOLD: &str = "CREATE FUNCTION told() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'set: %', (
    SELECT string_agg(name || '=' || setting || ' by ' || source, ', ' ORDER BY name) FROM pg_settings
    WHERE source IN ('client', 'session') AND name NOT IN ('application_name', 'client_encoding', 'DateStyle',
        'extra_float_digits', 'TimeZone', 'transaction_isolation', 'transaction_deferrable')); END $$;
    CREATE FUNCTION told_by_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM told(); RETURN NEW; END $$;
    CREATE TRIGGER told BEFORE INSERT ON principal FOR EACH ROW EXECUTE FUNCTION told_by_trigger();
    ALTER TABLE ledger_key RENAME TO kept;
    CREATE VIEW ledger_key AS SELECT told() AS key_id, told() AS name, NULL::bytea AS public_key, 0::bigint AS created_at,
        NULL::bigint AS retired_at, told() AS from_sizes, told() AS to_sizes FROM generate_series(1, 1)";

db_test! {
    async fn settings_are_those_of_the_transaction(db: TestDb) {
        if db.backend != DbBackend::Postgres {
            return;
        }
        let store = db.store().await;
        let reader = Store::open_reader(&db.url, 1, db.clock.clone()).await.expect("opened");
        db.execute(TOLD).await.expect("made");
        let said = for_operator(&store.list_ledger_keys().await.expect_err("told"));
        let serving = "jit=off by session, statement_timeout=15000 by session, transaction_read_only=on by session";
        assert!(said.contains(&format!("set: {serving}")), "{said}");
        let said = for_operator(&reader.list_ledger_keys().await.expect_err("told"));
        assert!(said.contains("set: jit=off by session, transaction_read_only=on by session"), "{said}");
        let actor = Actor { actor_type: ActorType::Human, id: "jane".to_owned() };
        let said = for_operator(&store.add_principal(&TenantId::trusted("acme"), &actor).await.expect_err("told"));
        let by_index = ["enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit"].map(|name| format!("{name}=off by session"));
        assert!(said.contains(&format!("set: {}", by_index.join(", "))), "{said}");
        store.close().await;
        reader.close().await;
    }
}
