// A real gateway over Runledger and a subgraph that owns policies and incidents: a run's evidence is reached from them.
// Runs from a copy inside the harness, whose packages and settings it uses. Writes a run, an incident and activations first.
import assert from 'node:assert/strict';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { composeServices } from '@apollo/composition';
import { ApolloServer } from '@apollo/server';
import { parse } from 'graphql';
import { Report, authHeaders, config, fetchSdl, gql, url } from '../lib/env.mjs';
import { sdl, serve } from './subgraph.mjs';

const rep = new Report('gateway');
const mark = `gw-${Date.now()}`;
const policies = [...Array(12).keys()].map((n) => ({ id: `${mark}-policy-${n}`, wording: `policy ${n}` }));
const incidents = [0, 1, 2].map((n) => ({ id: `${mark}-incident-${n}`, headline: `incident ${n}`, policyId: policies[n].id }));
const unknown = { id: `${mark}-unheard-of`, headline: 'not on record', policyId: policies[11].id };
const at = (second) => `2026-11-21T08:00:${String(second).padStart(2, '0')}Z`;

async function write(mutation, input) {
  const name = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input`;
  const { body } = await gql(`mutation($input: ${name}!) { ${mutation}(input: $input) { isReplayed } }`, { input });
  if (body.errors) throw new Error(`${mutation}: ${JSON.stringify(body.errors)}`);
}

await rep.step('a run, its incidents and activations are recorded', async () => {
  const step = { spanId: 'a', kind: 'TOOL', skillName: 'refund', status: 'FAILURE', startedAt: at(1), durationMs: 1000 };
  await write('recordLlmRun', { runId: `${mark}-run`, trace: {}, steps: [step], completedAt: at(30) });
  for (const policy of policies.slice(0, 10)) {
    const activation = { policyId: policy.id, sourcePatternId: 'p', confidence: 0.9, confidenceVersion: '1', approvalPath: 'auto' };
    await write('recordPolicyActivation', activation);
  }
  for (const incident of incidents) {
    const evidence = { incidentId: incident.id, severity: 'HIGH', status: 'OPEN', title: incident.headline, openedAt: at(40) };
    await write('recordIncidentEvidence', { ...evidence, policyId: incident.policyId, sourceRunId: `${mark}-run` });
  }
});

const other = await serve(policies, [...incidents, unknown]);
const services = [
  { name: 'runledger', url: url(config.graphqlPath), typeDefs: parse(await fetchSdl()) },
  { name: 'governance', url: other.url, typeDefs: parse(sdl) },
];
const composed = composeServices(services);
rep.check('both subgraphs compose', !composed.errors?.length, composed.errors?.map((error) => error.message).join(' | '));
if (composed.errors?.length) rep.done();

const sent = [];
class Source extends RemoteGraphQLDataSource {
  willSendRequest({ request }) {
    for (const [name, value] of Object.entries(authHeaders())) request.http.headers.set(name, value);
    sent.push(this.url === other.url ? 'governance' : 'runledger');
  }
}
const quiet = { debug() {}, info() {}, warn() {}, error: console.error };
const buildService = (service) => new Source({ url: service.url });
const gateway = new ApolloGateway({ supergraphSdl: composed.supergraphSdl, logger: quiet, buildService });
const server = new ApolloServer({ gateway, logger: quiet });
await server.start();

async function ask(query, variables) {
  sent.length = 0;
  const answer = (await server.executeOperation({ query, variables })).body.singleResult;
  if (answer.errors) throw new Error(JSON.stringify(answer.errors).slice(0, 500));
  // Plain objects, which compare equal to others.
  return JSON.parse(JSON.stringify(answer.data));
}

await rep.step('from Policy: its activations and the one in force', async () => {
  const data = await ask('{ policies { id wording currentActivation { confidence policyId } activations(first: 2) { nodes { approvalPath } } } }');
  assert.deepEqual(data.policies[3].currentActivation, { confidence: '0.900000', policyId: policies[3].id });
  assert.deepEqual(data.policies[3].activations.nodes, [{ approvalPath: 'auto' }]);
  assert.deepEqual([data.policies[11].wording, data.policies[11].currentActivation], ['policy 11', null]);
});
await rep.step('many policies are one request to each subgraph', () => {
  assert.deepEqual(sent, ['governance', 'runledger']);
  return sent.join(' > ');
});
await rep.step('from Incident: the evidence of its run, with the replay around the decisive moment', async () => {
  const data = await ask(`{ incidents { headline evidence { severity run { runId executionStatus
    replay(windowSeconds: 10) { inflectionRule events { source action outcome } } trace { totalSteps } } } } }`);
  for (const incident of data.incidents.slice(0, 3)) {
    assert.deepEqual(incident.evidence.run.replay.events.find((event) => event.source === 'LLM'), { source: 'LLM', action: 'refund', outcome: 'FAILURE' });
    assert.deepEqual([incident.evidence.run.runId, incident.evidence.run.replay.inflectionRule], [`${mark}-run`, 'FAILED_STEP']);
  }
  return sent.join(' > ');
});
await rep.step('an incident that is not on record has no evidence and harms none', async () => {
  const data = await ask('{ incidents { headline evidence { severity } } }');
  assert.deepEqual(data.incidents.map((incident) => incident.evidence?.severity ?? null), ['HIGH', 'HIGH', 'HIGH', null]);
});
await rep.step('from a run: to the incident and the policy that others own', async () => {
  const data = await ask('query($run: ID!) { llmRun(runId: $run) { incidentEvidence { incident { headline breaks { wording } } policy { wording currentActivation { approvalPath } } } } }', { run: `${mark}-run` });
  const [newest] = data.llmRun.incidentEvidence;
  assert.deepEqual(newest.incident, { headline: 'incident 2', breaks: { wording: 'policy 2' } });
  assert.deepEqual(newest.policy, { wording: 'policy 2', currentActivation: { approvalPath: 'auto' } });
  return sent.join(' > ');
});
await rep.step('from Incident through Policy and back: three hops', async () => {
  const data = await ask('{ incidents { breaks { wording currentActivation { id } } } }');
  assert.ok(data.incidents.slice(0, 3).every((incident) => incident.breaks.currentActivation.id.startsWith('pol_')));
  return sent.join(' > ');
});

await server.stop();
other.close();
rep.done();
