// Sends one GraphQL operation to the server that served this page.

const KEY = 'runledger:api-key';

/** The key typed into the page, or ''. It lives in this browser tab only and is gone when the tab is closed. */
export const readKey = () => sessionStorage.getItem(KEY) ?? '';

/** Keeps the key for this browser tab; an empty one is forgotten. */
export const writeKey = (key) => (key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY));

const named = (headers, name) => Object.keys(headers).some((key) => key.toLowerCase() === name);

/** A fetcher for GraphiQL. What stands in the Headers pane wins over the key field. */
export const makeFetcher = (key) => async (params, options) => {
  const headers = { ...options?.headers };
  if (key && !named(headers, 'authorization')) headers.authorization = `Bearer ${key}`;
  const response = await fetch('/graphql', {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(params),
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: `The server answered HTTP ${response.status} and no JSON: ${text.slice(0, 300)}` }] };
  }
};
