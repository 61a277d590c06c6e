#!/usr/bin/env python3
"""Writes runs to a server and fetches their evidence, in the form that the verifiers beside this file read.

fetch.py URL TOKEN > EVIDENCE.json
"""
import json, sys, time, urllib.request, uuid

# Each field under its column's name; what GraphQL shows in another form (a duration in milliseconds) is left out.
RUN = """
  id created_at: createdAt tenant { tenant_id: id } run_id: runId revision trace_id: traceId name agent { agent_id: id }
  session_id: sessionId end_user_id: endUserId tags provider model operation service_name: serviceName
  service_instance_id: serviceInstanceId service_version: serviceVersion environment region prompt_hash: promptHash
  response_hash: responseHash input_tokens: inputTokens output_tokens: outputTokens cached_input_tokens: cachedInputTokens
  reasoning_tokens: reasoningTokens finish_reason: finishReason cost_usd: costUsd price_version: priceVersion
  execution_status: executionStatus error_type: errorType started_at: startedAt completed_at: completedAt source
  is_synthetic: isSynthetic synthetic_scenario_id: syntheticScenarioId correlation_id: correlationId
  actor_type: actorType actor_id: actorId step_count: stepCount trace_root_hash: traceRootHash
  ledgerEntry { sequence leafHash leaf receipt }
"""


def ask(query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {sys.argv[2]}"}
    answer = json.load(urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers)))
    if "errors" in answer:
        sys.exit(f"the server answered: {answer['errors']}")
    return answer["data"]


def record():
    given = {"runId": f"interop {uuid.uuid4()}", "name": 'Größe "π" \\ \u0001\u2028😀', "model": "gpt-4o", "provider": "openai",
             "inputTokens": 12, "outputTokens": 3, "costUsd": "0.001230", "agentId": "planner", "tags": ["b", "a"],
             "startedAt": "2026-11-21T09:30:00.1234567+01:00", "prompt": {"text": "hello"}}
    ask("mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { __typename } }", input=given)


def checkpoint():
    """A checkpoint of everything that was recorded: a log is signed once a second."""
    wanted = ask("{ ledger { size } }")["ledger"]["size"]
    for _ in range(100):
        note = (ask("{ ledger { checkpoint { note } } }")["ledger"]["checkpoint"] or {"note": "\n0"})["note"]
        if int(size(note)) >= int(wanted):
            return note
        time.sleep(0.1)
    sys.exit(f"no checkpoint of {wanted} entries within 10 s")


def size(note):
    return note.split("\n")[1]


record()
before = checkpoint()
record()
record()
after = checkpoint()
nodes = ask(f"{{ llmRuns(first: 20) {{ nodes {{ {RUN} }} }} }}")["llmRuns"]["nodes"]
proof = "query($from: BigInt!, $to: BigInt!) { ledger { keys { verifierKey } consistencyProof(from: $from, to: $to) { hashes } } }"
ledger = ask(proof, **{"from": size(before), "to": size(after)})["ledger"]
json.dump({"keys": [key["verifierKey"] for key in ledger["keys"]], "nodes": nodes, "before": before, "after": after,
           "hashes": ledger["consistencyProof"]["hashes"]}, sys.stdout, ensure_ascii=False, indent=2)
