// A second subgraph, which owns policies and incidents. It knows nothing of runs.
import { createServer } from 'node:http';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { createYoga } from 'graphql-yoga';

export const sdl = `
extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
type Query { policies: [Policy!]! incidents: [Incident!]! }
type Policy @key(fields: "id") { id: ID! wording: String! }
type Incident @key(fields: "id") { id: ID! headline: String! breaks: Policy }
`;

// Serves the given policies and incidents on a free port.
export async function serve(policies, incidents) {
  const schema = buildSubgraphSchema({
    typeDefs: parse(sdl),
    resolvers: {
      Query: { policies: () => policies, incidents: () => incidents },
      Policy: { __resolveReference: ({ id }) => policies.find((policy) => policy.id === id) },
      Incident: {
        __resolveReference: ({ id }) => incidents.find((incident) => incident.id === id),
        breaks: (incident) => policies.find((policy) => policy.id === incident.policyId),
      },
    },
  });
  const server = createServer(createYoga({ schema, logging: false, graphqlEndpoint: '/graphql' }));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/graphql`, close: () => server.close() };
}
