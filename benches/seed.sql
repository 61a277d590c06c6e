-- Runs for the read benchmarks, on PostgreSQL: :runs of them, of which the newest :traced have a trace with ten steps
-- and a seal. Values vary so that filters and orders have something to do. psql -v runs=1000000 -v traced=100000 -f seed.sql
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
INSERT INTO ledger_log (log_id, tenant_id, stream, origin, size, updated_at)
SELECT 'bench/evidence', 'bench', 'evidence', 'runledger/bench', (:runs - :traced) + :traced * 13, 1790000000000000;
VACUUM (ANALYZE) llm_run, trace, trace_step, trace_seal, trace_state, llm_run_tag;
