-- Runs for the read benchmarks, on PostgreSQL: :runs of them, of which the newest :traced have a trace with ten steps
-- and a seal, two governance entries, and a service with three series; every tenth has an export, every fiftieth an
-- incident. A system record and a sample of each series every ten seconds. Nothing of it is in the ledger: what the
-- server writes by itself begins a log of its own, whose first places are free in the tables it writes to. Values vary so
-- that filters and orders have something to do. psql -v runs=1000000 -v traced=100000 -f seed.sql
\set ON_ERROR_STOP on
INSERT INTO llm_run (tenant_id, id, seq, created_at, run_id, revision, trace_id, name, agent_id, session_id, tags,
    provider, model, operation, service_name, environment, input_tokens, output_tokens, cached_input_tokens, finish_reason,
    cost_micros, price_version, execution_status, error_type, started_at, completed_at, source, is_synthetic, step_count)
SELECT 'bench', gen_random_uuid(), CASE WHEN is_traced THEN base + 12 ELSE n END,
    1790000000000000 + n * 1000, 'run-' || n, 1, CASE WHEN is_traced THEN md5(n::text) END,
    'answer question', 'agent-' || n % 50, 'session-' || n / 10, '["bench"]',
    (ARRAY['openai', 'anthropic', 'mistral_ai'])[1 + n % 3], (ARRAY['gpt-4o', 'claude-sonnet-4-5', 'mistral-large'])[1 + n % 3],
    'chat', 'service-' || n % 20, 'production', n % 4000, n % 900, n % 300, 'stop',
    CASE WHEN n % 17 = 0 THEN NULL ELSE (n * 7919) % 1000003 END, '2026-11',
    CASE WHEN n % 23 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END, CASE WHEN n % 23 = 0 THEN 'timeout' END,
    1790000000000000 + n * 1000, 1790000000000000 + n * 1000 + (n * 104729) % 30000000, 'OTLP', FALSE,
    CASE WHEN is_traced THEN 10 ELSE 0 END
FROM (SELECT n, n >= :runs - :traced AS is_traced, (:runs - :traced) + (n - (:runs - :traced)) * 13 AS base
      FROM generate_series(0::bigint, :runs - 1) AS n) AS numbered;
INSERT INTO trace (tenant_id, id, seq, created_at, trace_id, run_id, agent_id, schema_version, is_synthetic, service_name,
    environment, started_at)
SELECT tenant_id, gen_random_uuid(), seq - 12, created_at, trace_id, run_id, agent_id, '1', FALSE, service_name,
    environment, started_at
FROM llm_run WHERE tenant_id = 'bench' AND trace_id IS NOT NULL;
INSERT INTO trace_step (tenant_id, id, seq, created_at, trace_id, step_index, is_late, span_id, parent_span_id, attempt,
    kind, skill_name, status, outcome_category, provider, model, response_id, input_tokens, output_tokens, cost_micros,
    started_at, duration_us, input_hash, output_hash)
SELECT tenant_id, gen_random_uuid(), seq - 11 + step, created_at, trace_id, step, FALSE,
    lpad(to_hex(step + 1), 16, '0'), CASE WHEN step > 0 THEN lpad('1', 16, '0') END, 1,
    (ARRAY['AGENT', 'LLM', 'TOOL'])[1 + step % 3], (ARRAY['assistant', 'chat gpt-4o', 'search_docs'])[1 + step % 3],
    'SUCCESS', 'SUCCESS', provider, model, 'resp_' || md5(run_id || step), input_tokens, output_tokens, cost_micros,
    started_at + step * 1000, 1000 + step, sha256(('in' || run_id || step)::bytea), sha256(('out' || run_id || step)::bytea)
FROM llm_run, generate_series(0, 9) AS step WHERE tenant_id = 'bench' AND trace_id IS NOT NULL;
INSERT INTO trace_seal (tenant_id, id, seq, created_at, trace_id, revision, status, step_count, root_hash, ended_at)
SELECT tenant_id, gen_random_uuid(), seq - 1, created_at, trace_id, 1, execution_status, 10,
    sha256(run_id::bytea), completed_at
FROM llm_run WHERE tenant_id = 'bench' AND trace_id IS NOT NULL;
INSERT INTO trace_state (tenant_id, trace_id, step_count, has_root, has_remote_parent, has_llm_work, is_open,
    sealed_revision, last_seen_at, due_at, version)
SELECT tenant_id, trace_id, 10, TRUE, FALSE, TRUE, FALSE, 1, created_at, NULL, 1
FROM llm_run WHERE tenant_id = 'bench' AND trace_id IS NOT NULL;
INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT tenant_id, 'bench', seq FROM llm_run WHERE tenant_id = 'bench';
SELECT :runs + :traced * 12 AS next, 1790000000000000 + (:runs - :traced) * 1000 - 600000000 AS since,
    1790000000000000 + :runs * 1000 + 60000000 AS until \gset
INSERT INTO audit_entry (tenant_id, id, seq, created_at, category, event_type, entity_type, entity_id, actor_type, verdict,
    action, policy_id, rule_id, run_id, correlation_id, source_component, occurred_at)
SELECT tenant_id, gen_random_uuid(), :next + row_number() OVER (ORDER BY seq, part) - 1, created_at, 'GOVERNANCE',
    'PolicyEvaluated', 'POLICY_RULE', 'rule-' || part, 'SYSTEM', CASE WHEN part = 1 AND seq % 20 = 0 THEN 'DENY' ELSE 'ALLOW' END,
    CASE WHEN part = 1 AND seq % 20 = 0 THEN 'BLOCKED' ELSE 'ALLOWED' END, 'policy-' || seq % 30, 'rule-' || part,
    CASE WHEN part = 0 THEN run_id ELSE trace_id END, trace_id, 'otlp', started_at + 2000 + part
FROM llm_run, generate_series(0, 1) AS part WHERE tenant_id = 'bench' AND trace_id IS NOT NULL;
SELECT max(seq) + 1 AS next FROM audit_entry WHERE tenant_id = 'bench' \gset
INSERT INTO incident_evidence (tenant_id, id, seq, created_at, incident_id, revision, severity, status, title,
    source_run_id, policy_id, violation_at, opened_at, source_component)
SELECT tenant_id, gen_random_uuid(), :next + row_number() OVER (ORDER BY seq) - 1, created_at, 'incident-' || run_id, 1,
    'HIGH', 'open', 'a limit was passed', run_id, 'policy-' || seq % 30, started_at + 2000, started_at + 3000, 'graphql'
FROM llm_run WHERE tenant_id = 'bench' AND trace_id IS NOT NULL AND seq / 13 % 50 = 0;
SELECT max(seq) + 1 AS next FROM incident_evidence WHERE tenant_id = 'bench' \gset
INSERT INTO log_export (tenant_id, id, seq, created_at, scope, run_id, format, filter, requested_by, origin,
    source_component, record_count, byte_count, checksum, checkpoint_sizes, status)
SELECT tenant_id, gen_random_uuid(), :next + row_number() OVER (ORDER BY seq) - 1, created_at, 'LLM_RUN', run_id, 'JSON',
    '{}', 'jo', 'HUMAN', 'export', 12, 9000, sha256(run_id::bytea), '{}', 'COMPLETED'
FROM llm_run WHERE tenant_id = 'bench' AND trace_id IS NOT NULL AND seq / 13 % 10 = 0;
SELECT max(seq) + 1 AS next FROM log_export WHERE tenant_id = 'bench' \gset
INSERT INTO system_record (tenant_id, id, seq, created_at, component, event_type, severity, summary, source_component,
    occurred_at)
SELECT 'bench', gen_random_uuid(), :next + row_number() OVER (ORDER BY instant) - 1, instant,
    (ARRAY['API', 'WORKER', 'DB'])[1 + instant / 10000000 % 3], CASE WHEN instant / 10000000 % 6 = 0 THEN 'DEPLOY' ELSE 'ERROR' END,
    CASE WHEN instant / 10000000 % 6 = 1 THEN 'WARN' ELSE 'INFO' END, 'what happened', 'graphql', instant
FROM generate_series(:since::bigint - 200000000000, :until, 10000000) AS instant;
INSERT INTO metric_series (tenant_id, series_id, service_name, service_instance_id, name, unit, kind, is_monotonic, scope,
    attributes, last_at)
SELECT 'bench', gen_random_uuid(), 'service-' || service, '', 'series ' || number, '1', 'GAUGE', FALSE, '', '{}', :until
FROM generate_series(0, 19) AS service, generate_series(1, 3) AS number;
INSERT INTO metric_point (tenant_id, series_id, at, value) SELECT tenant_id, series_id, instant, '"1.5"'
FROM metric_series, generate_series(:since::bigint, :until, 10000000) AS instant WHERE tenant_id = 'bench';
-- Entries of a log that nobody reads, and the attributes of each trace's first step: without them the planner would find
-- their tables empty, and read them whole.
INSERT INTO ledger_entry (tenant_id, log_id, seq, kind, record_id, leaf_hash)
SELECT 'bench', '00000000-0000-7000-8000-000000000000', seq, 'run', id, sha256(run_id::bytea)
FROM llm_run WHERE tenant_id = 'bench' AND trace_id IS NOT NULL;
INSERT INTO payload (tenant_id, record_id, part, text, salt)
SELECT tenant_id, id, 'attributes', '{"gen_ai.operation.name":"invoke_agent"}', sha256(span_id::bytea)
FROM trace_step WHERE tenant_id = 'bench' AND step_index = 0;
VACUUM (ANALYZE) llm_run, trace, trace_step, trace_seal, trace_state, llm_run_tag, audit_entry, incident_evidence,
    log_export, system_record, metric_series, metric_point, ledger_entry, payload;
