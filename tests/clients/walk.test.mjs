// A person's walk in a real Chromium that reaches nothing but the server: the demo chat and GraphiQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { finished, openBrowser, openChat, say, shot, token as held } from './browser.mjs';
import { plugIn } from './cable.mjs';
import { ours, startServer } from './server.mjs';
import { WATCH, askSlowly, register, request, stored } from './story.mjs';

const MODEL = 'scripted:words=120,delay=40';
let server, cable, browser;
before(async () => {
  server = await startServer();
  cable = await plugIn(server.base);
  browser = await openBrowser(cable.base);
});
after(async () => {
  await browser?.close();
  cable?.unplug();
  await server?.stop();
});

const answer = (page) => page.locator('.message.assistant .body').last();
const length = async (page) => (await answer(page).textContent()).length;
/** Waits until more than `size` characters of the newest answer are there. */
const longerThan = (page, size) => page.waitForFunction(
  (least) => [...document.querySelectorAll('.message.assistant .body')].at(-1)?.textContent.length > least,
  size,
);

/** An account in the demo chat, and a question to a slow assistant. */
async function beginDemo(options) {
  const visit = await browser.newcomer(MODEL, options);
  await say(visit.page, 'What is a parlor, and what happens when the cable is pulled?');
  await longerThan(visit.page, 40);
  return visit;
}

/** The newest answer as the database has it, asked with the page's own token. */
async function kept(page) {
  const accessToken = await held(page);
  const id = await openChat(page);
  const { chat } = await request(
    server.base,
    'query ($id: ID!) { chat(id: $id) { messages(last: 1) { nodes { content generation { id } } } } }',
    { id },
    accessToken,
  );
  return stored(server.base, accessToken, chat.messages.nodes[0].generation.id);
}

test('demo: the answer streams in', { timeout: 60_000 }, async () => {
  const { context, page, calm } = await beginDemo();
  await shot(page, 'streaming');
  const sizes = new Set();
  for (let i = 0; i < 8; i++) sizes.add(await length(page)), await longerThan(page, await length(page));
  assert.equal(sizes.size, 8);
  await finished(page);
  const { status, text } = await kept(page);
  assert.equal(status, 'COMPLETED');
  assert.equal(await answer(page).textContent(), text);
  calm();
  await context.close();
});

test('demo: a cut cable, a dead network and a reload lose nothing', { timeout: 60_000 }, async () => {
  const { context, page, calm } = await beginDemo({ colorScheme: 'dark' });
  cable.cut();
  await longerThan(page, (await length(page)) + 30);
  await context.setOffline(true);
  await page.waitForSelector('#connection:not([hidden])');
  await shot(page, 'cut-dark');
  await context.setOffline(false);
  await page.waitForSelector('#connection', { state: 'hidden' });
  await longerThan(page, (await length(page)) + 30);
  const before = await length(page);
  await page.reload();
  await longerThan(page, before - 1);
  await page.waitForSelector('.message.assistant.running');
  await finished(page);
  const { status, text } = await kept(page);
  assert.equal(status, 'COMPLETED');
  assert.equal(await answer(page).textContent(), text);
  await shot(page, 'finished-dark');
  calm();
  await context.close();
});

test('demo: stop keeps what was written', { timeout: 60_000 }, async () => {
  const { context, page, calm } = await beginDemo({ viewport: { width: 390, height: 780 } });
  await page.click('#stop');
  await finished(page);
  const { status, text } = await kept(page);
  assert.equal(status, 'STOPPED');
  assert.equal(await answer(page).textContent(), text);
  await shot(page, 'stopped-phone');
  calm();
  await context.close();
});

test('demo: a killed server', { timeout: 90_000, skip: !ours && 'needs the path of a binary' }, async () => {
  const { context, page, calm } = await beginDemo();
  await server.kill();
  await page.waitForSelector('#connection:not([hidden])');
  await server.start();
  await finished(page);
  const { status, text } = await kept(page);
  assert.equal(status, 'INTERRUPTED');
  assert.ok(text.length > 0);
  assert.equal(await answer(page).textContent(), text);
  await shot(page, 'interrupted');
  calm();
  await context.close();
});

test('GraphiQL: a query, and a subscription with a token from the headers pane', { timeout: 60_000 }, async () => {
  const { token, displayName } = await register(server.base);
  const { context, page, calm } = await browser.visitor('/graphiql', { viewport: { width: 1400, height: 850 } });
  const type = async (pane, text) => {
    await page.locator(`${pane} .monaco-editor >> visible=true`).click();
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Delete');
    // In one line: the editor would indent and close what comes in several.
    await page.keyboard.insertText(text.replace(/\s+/g, ' '));
  };
  // The tab takes the operation's name once GraphiQL has read the new text.
  const run = async (name, document) => {
    await type('.graphiql-query-editor', document);
    await page.locator('.graphiql-tab', { hasText: new RegExp(`^${name}$`) }).waitFor();
    await page.click('.graphiql-execute-button');
  };
  const shows = (words) => page.waitForFunction(
    (sought) => globalThis.__MONACO?.editor.getModels().some((model) => model.uri.path.includes('response') && model.getValue().includes(sought)),
    words,
  );
  await page.waitForSelector('.graphiql-query-editor .monaco-editor .view-lines');
  await shot(page, 'graphiql-welcome');
  await type('.graphiql-editor-tool', JSON.stringify({ Authorization: `Bearer ${token}` }));
  await run('Me', 'query Me { viewer { user { displayName } assistantChat { id } } }');
  await shows(displayName);

  const generationId = await askSlowly(server.base, token, MODEL);
  await run('Watch', WATCH.replace(/\(\$generationId.*\)/, '').replace(/\(generationId.*\)/, `(generationId: "${generationId}")`));
  await page.getByLabel(/Prettify/).click();
  await shows('GenerationDelta');
  await shot(page, 'graphiql-streaming');
  await shows('COMPLETED');
  calm();
  await context.close();
});
