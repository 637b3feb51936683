// GraphQL over HTTP, audited by the makers of the specification's reference server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { auditServer } from 'graphql-http';
import { startServer } from './server.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

test('graphql-http: no error, no warning', { timeout: 60_000 }, async (t) => {
  const results = await auditServer({ url: `${server.base}/graphql` });
  const fallen = results.filter(({ status }) => status !== 'ok');
  for (const { status, name, reason } of fallen) t.diagnostic(`${status}: ${name}: ${reason}`);
  t.diagnostic(`${results.length - fallen.length} of ${results.length} audits are ok`);
  assert.deepEqual(fallen.filter(({ status }) => status !== 'notice').map(({ name }) => name), []);
});
