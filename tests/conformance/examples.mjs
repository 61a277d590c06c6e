// The example queries of the GraphiQL page: valid for the schema of BASE_URL, and answered without errors.
// Runs from a copy inside the harness, whose packages and settings it uses. EXAMPLES: path of page/examples.js.
import { pathToFileURL } from 'node:url';
import { buildClientSchema, parse, validate } from 'graphql';
import { Report, gql } from './lib/env.mjs';
import { introspect } from './lib/schema.mjs';

const rep = new Report('graphiql-examples');
const { examples } = await import(pathToFileURL(process.env.EXAMPLES).href);
const schema = buildClientSchema(await introspect());
const newest = await gql('{ llmRuns(first: 2, filter: { source: [OTLP] }) { nodes { runId traceId } } }');
const [one, two] = newest.body.data.llmRuns.nodes;
const known = { runId: one.runId, left: one.traceId, right: two.traceId };

rep.check('there are examples', examples.length > 4, examples.length);
for (const { query, variables } of examples) {
  const document = parse(query);
  const name = document.definitions[0].name.value;
  const findings = validate(schema, document);
  rep.check(`${name} is valid`, findings.length === 0, findings[0]?.message);
  const wanted = Object.keys(JSON.parse(variables ?? '{}'));
  await rep.step(`${name} is answered`, async () => {
    const { status, body } = await gql(query, Object.fromEntries(wanted.map((key) => [key, known[key]])));
    if (status !== 200 || body.errors) throw new Error(`HTTP ${status} ${JSON.stringify(body.errors ?? body).slice(0, 300)}`);
    const empty = Object.entries(body.data).filter(([, value]) => value === null);
    if (empty.length) throw new Error(`null: ${empty.map(([key]) => key)}`);
  });
}
rep.done();
