// The page: a bar with the key field over GraphiQL, whose tabs start with the examples.
import { useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { examples } from './examples.js';
import { makeFetcher, readKey, writeKey } from './fetcher.js';
import './page.css';

function KeyField({ value, onChange }) {
  const [draft, setDraft] = useState(value);
  const submit = (event) => {
    event.preventDefault();
    onChange(draft.trim());
  };
  return (
    <form className="key-form" onSubmit={submit} autoComplete="off">
      <label htmlFor="api-key">API key</label>
      <input
        id="api-key"
        type="password"
        placeholder="rl_…  (none is needed where auth is off)"
        spellCheck="false"
        autoComplete="off"
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
      />
      <button type="submit">Use</button>
      <span className="key-state" role="status">
        {value ? 'sent as Authorization, kept until this tab is closed' : 'no key is sent'}
      </span>
    </form>
  );
}

function Page() {
  const [key, setKey] = useState(readKey);
  // A new fetcher makes GraphiQL ask for the schema again, with the new key.
  const fetcher = useMemo(() => makeFetcher(key), [key]);
  const changeKey = (next) => {
    writeKey(next);
    setKey(next);
  };
  return (
    <>
      <header className="bar">
        <strong>Runledger</strong>
        <KeyField value={key} onChange={changeKey} />
      </header>
      <main>
        <GraphiQL
          fetcher={fetcher}
          defaultTabs={examples}
          defaultEditorToolsVisibility={false}
          inputValueDeprecation
          schemaDescription
          shouldPersistHeaders={false}
          showPersistHeadersSettings={false}
        >
          <GraphiQL.Logo>
            <></>
          </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

createRoot(document.getElementById('page')).render(<Page />);
