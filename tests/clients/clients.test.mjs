// Tokens arrive one by one, a cut cable loses and repeats nothing, and after a kill -9
// mid-answer each client ends with the database's text.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { plugIn } from './cable.mjs';
import { clients } from './follow.mjs';
import { ours, startServer } from './server.mjs';
import { applyEvent, askSlowly, register, stored } from './story.mjs';

let server;
let token;
before(async () => {
  server = await startServer();
  ({ token } = await register(server.base));
});
after(() => server?.stop());

for (const [name, follow] of Object.entries(clients)) {
  test(`${name}: tokens one by one`, { timeout: 60_000 }, async (t) => {
    const generationId = await askSlowly(server.base, token);
    let text = '';
    const arrivals = [];
    await follow(server.base, token, generationId, (event) => {
      text = applyEvent(text, event);
      if (event.__typename === 'GenerationDelta') arrivals.push(performance.now());
    });
    const moments = new Set(arrivals.map((at) => Math.floor(at / 100)));
    const longest = Math.max(...arrivals.slice(1).map((at, i) => at - arrivals[i]));
    t.diagnostic(`${arrivals.length} deltas over ${Math.round(arrivals.at(-1) - arrivals[0])} ms, longest gap ${Math.round(longest)} ms`);
    assert.ok(arrivals.length >= 20, `only ${arrivals.length} deltas`);
    assert.ok(moments.size >= 10, `they came in ${moments.size} bursts`);
    const { status, text: kept } = await stored(server.base, token, generationId);
    assert.equal(status, 'COMPLETED');
    assert.equal(text, kept);
  });

  test(`${name}: cable cut mid-answer, twice`, { timeout: 60_000 }, async () => {
    const cable = await plugIn(server.base);
    // Long enough for two of graphql-ws' own waits before it connects again, of up to four seconds each.
    const generationId = await askSlowly(server.base, token, 'scripted:words=400,delay=25');
    let text = '';
    const seen = [];
    let deltas = 0;
    await follow(cable.base, token, generationId, (event) => {
      text = applyEvent(text, event);
      if (event.__typename !== 'GenerationFinished') seen.push(event.sequence);
      if (event.__typename === 'GenerationDelta' && [20, 30].includes(++deltas)) cable.cut();
    });
    cable.unplug();
    assert.ok(deltas > 30, `only ${deltas} deltas: the second cut never came`);
    // Asked with a current `after`, the server tells nothing that was told before.
    assert.ok(seen.every((sequence, i) => i === 0 || sequence > seen[i - 1]), `told twice: ${seen}`);
    const { status, text: kept } = await stored(server.base, token, generationId);
    assert.equal(status, 'COMPLETED');
    assert.equal(text, kept);
  });

  test(`${name}: killed mid-answer`, { timeout: 90_000, skip: !ours && 'needs the path of a binary' }, async (t) => {
    const generationId = await askSlowly(server.base, token);
    let text = '';
    let deltas = 0;
    let killed;
    const kinds = [];
    const restart = async () => {
      await server.kill();
      kinds.push('kill -9');
      await server.start();
    };
    await follow(server.base, token, generationId, (event) => {
      text = applyEvent(text, event);
      if (kinds.at(-1) !== event.__typename) kinds.push(event.__typename);
      if (event.__typename === 'GenerationDelta' && ++deltas === 30) killed = restart();
    });
    assert.ok(killed, 'the answer was over before the server could be killed');
    await killed;
    t.diagnostic(kinds.join(', '));
    const { status, text: kept } = await stored(server.base, token, generationId);
    assert.equal(status, 'INTERRUPTED');
    assert.ok(kept.length > 0, 'the text that was shown is gone');
    assert.equal(text, kept);
  });
}
