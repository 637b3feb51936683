// A person's walk in a real Chromium that reaches nothing but the server: the demo chat and GraphiQL.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { plugIn } from './cable.mjs';
import { ours, startServer } from './server.mjs';
import { WATCH, askSlowly, register, request, stored } from './story.mjs';

const shots = process.env.SHOTS ?? join(import.meta.dirname, 'screenshots');
const MODEL = 'scripted:words=120,delay=40';
let server, cable, browser;
before(async () => {
  await mkdir(shots, { recursive: true });
  server = await startServer();
  cable = await plugIn(server.base);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
});
after(async () => {
  await browser?.close();
  cable?.unplug();
  await server?.stop();
});

/** A page that may reach the server alone, and whose every complaint is kept. */
async function visitor(path, options) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 780 }, ...options });
  const strays = [];
  const complaints = [];
  await context.route(
    (url) => url.host !== new URL(cable.base).host,
    (route) => { strays.push(route.request().url()); return route.abort(); },
  );
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    const cutOff = /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|WebSocket connection/.test(message.text());
    if (message.type() === 'error' && !cutOff) complaints.push(message.text());
  });
  await page.goto(cable.base + path);
  const calm = () => {
    assert.deepEqual(strays, [], 'the page asked another host');
    assert.deepEqual(complaints, [], 'the page complained');
  };
  return { context, page, calm };
}

const answer = (page) => page.locator('.message.assistant .body').last();
const length = async (page) => (await answer(page).textContent()).length;
/** Waits until more than `size` characters of the newest answer are there. */
const longerThan = (page, size) => page.waitForFunction(
  (least) => [...document.querySelectorAll('.message.assistant .body')].at(-1)?.textContent.length > least,
  size,
);
const finished = (page) => page.waitForSelector('.message.assistant:last-child:not(.running)', { timeout: 60_000 });

/** An account in the demo chat, and a question to a slow assistant. */
async function beginDemo(options) {
  const visit = await visitor('/demo', options);
  const { page } = visit;
  await page.evaluate((model) => localStorage.setItem('parlor.model', model), MODEL);
  const name = `walker${Date.now().toString(36)}`;
  await page.fill('[name=displayName]', 'Ada Lovelace');
  await page.fill('[name=username]', name);
  await page.fill('[name=email]', `${name}@example.com`);
  await page.fill('[name=password]', 'a long walk in the park 42');
  await page.screenshot({ path: join(shots, 'door.png') });
  await page.click('#enter');
  await page.waitForSelector('#room:not([hidden])');
  if (await page.isVisible('#menu')) await page.click('#menu');
  await page.click('#new-chat');
  // Until it is open, what is sent goes to the chat that was open before.
  await page.locator('#title', { hasText: 'New chat' }).waitFor();
  await page.fill('#text', 'What is a parlor, and what happens when the cable is pulled?');
  await page.press('#text', 'Enter');
  await longerThan(page, 40);
  return visit;
}

/** The newest answer as the database has it, asked with the page's own token. */
async function kept(page) {
  const { accessToken } = await page.evaluate(() => JSON.parse(localStorage.getItem('parlor.tokens')));
  const id = (await page.evaluate(() => location.hash)).slice(1);
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
  await page.screenshot({ path: join(shots, 'streaming.png') });
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
  await page.screenshot({ path: join(shots, 'cut-dark.png') });
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
  await page.screenshot({ path: join(shots, 'finished-dark.png') });
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
  await page.screenshot({ path: join(shots, 'stopped-phone.png') });
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
  await page.screenshot({ path: join(shots, 'interrupted.png') });
  calm();
  await context.close();
});

test('GraphiQL: a query, and a subscription with a token from the headers pane', { timeout: 60_000 }, async () => {
  const { token, displayName } = await register(server.base);
  const { context, page, calm } = await visitor('/graphiql', { viewport: { width: 1400, height: 850 } });
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
  await page.screenshot({ path: join(shots, 'graphiql-welcome.png') });
  await type('.graphiql-editor-tool', JSON.stringify({ Authorization: `Bearer ${token}` }));
  await run('Me', 'query Me { viewer { user { displayName } assistantChat { id } } }');
  await shows(displayName);

  const generationId = await askSlowly(server.base, token, MODEL);
  await run('Watch', WATCH.replace(/\(\$generationId.*\)/, '').replace(/\(generationId.*\)/, `(generationId: "${generationId}")`));
  await page.getByLabel(/Prettify/).click();
  await shows('GenerationDelta');
  await page.screenshot({ path: join(shots, 'graphiql-streaming.png') });
  await shows('COMPLETED');
  calm();
  await context.close();
});
