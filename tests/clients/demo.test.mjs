// The demo chat in two tabs: other versions, what went wrong, and tools that a person has to approve.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { finished, openBrowser, openChat, say, shot, token } from './browser.mjs';
import { plugIn } from './cable.mjs';
import { openNotes } from './notes.mjs';
import { ours, startServer } from './server.mjs';
import { request } from './story.mjs';

const MODEL = 'scripted:words=40,delay=25';
const NOTE = 'scripted:words=12,delay=5,tool=notes__write_note({"text":"milk, bread"})';
let server, cable, browser, notes;
before(async () => {
  notes = await openNotes();
  server = await startServer({ PARLOR_BASE_URLS: notes.origin });
  cable = await plugIn(server.base);
  browser = await openBrowser(cable.base);
});
after(async () => {
  await browser?.close();
  cable?.unplug();
  await server?.stop();
  notes?.close();
});

/** What a tab shows: who said what, and which of how many versions it is. */
const shown = (page) => page.$$eval('.message', (all) => all.map((message) => [
  message.classList.contains('user') ? 'USER' : 'ASSISTANT',
  message.querySelector('.body').textContent,
  message.querySelector('.versions > span')?.textContent ?? '1/1',
  message.classList.contains('running'),
]));
/** The same of the database. */
async function kept(page) {
  const query = `query ($id: ID!) { chat(id: $id) { messages(last: 50) { nodes {
    role sequence content siblings { sequence } generation { text finishedAt } } } } }`;
  const { chat } = await request(server.base, query, { id: await openChat(page) }, await token(page));
  return chat.messages.nodes.map(({ role, sequence, content, siblings, generation }) => [
    role,
    generation?.text ?? content,
    `${siblings.filter((other) => other.sequence < sequence).length + 1}/${siblings.length + 1}`,
    Boolean(generation && !generation.finishedAt),
  ]);
}
const versions = (rows) => rows.map(([, , version]) => version).join(' ');
/** Waits until these versions are there, none is written any more, and all tabs show just what the database has. */
async function settled(wanted, ...tabs) {
  for (const end = Date.now() + 20_000; ; await pause(100)) {
    const there = await kept(tabs[0]);
    const seen = await Promise.all(tabs.map(shown));
    const over = Date.now() > end;
    if (over) assert.deepEqual(seen, tabs.map(() => there), 'all tabs show what the database has');
    const ended = !there.some(([, , , running]) => running);
    if (over) assert.deepEqual([versions(there), ended], [wanted, true], 'the answers end');
    if (ended && versions(there) === wanted && isDeepStrictEqual(seen, tabs.map(() => there))) return there;
  }
}
const nth = (page, which, act) => page.locator(`.message.${which} [data-act=${act}]`).first();
const shows = (page, words) => page.locator('.versions > span', { hasText: words }).first().waitFor();

async function twoTabs(model, options) {
  const visit = await browser.newcomer(model, options);
  const other = await visit.tab(`/demo#${await openChat(visit.page)}`);
  await other.waitForSelector('#empty:not([hidden])');
  return { ...visit, other };
}

test('demo: two tabs stay the same through other answers, switches and edits', { timeout: 120_000 }, async () => {
  const { context, page, other, calm } = await twoTabs(MODEL);
  await say(page, 'What is a parlor?');
  await finished(page);
  const [, first] = await settled('1/1 1/1', page, other);
  // Another answer here; while it is written the first one is shown again there.
  await nth(page, 'assistant', 'again').click();
  await shows(other, '2/2');
  await other.waitForSelector('.message.running');
  await nth(other, 'assistant', 'previous').click();
  await shows(page, '1/2');
  assert.deepEqual((await settled('1/1 1/2', page, other))[1].slice(0, 2), first.slice(0, 2));
  // It was written to its end all the same.
  await nth(page, 'assistant', 'next').click();
  await shows(other, '2/2');
  await settled('1/1 2/2', page, other);
  await say(other, 'And who sits in it?');
  await finished(other);
  await settled('1/1 2/2 1/1 1/1', page, other);
  await nth(page, 'assistant', 'previous').click();
  await settled('1/1 1/2', page, other);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.act), 'next', 'the keyboard is where it was');
  // In other words, while the cable is cut.
  await page.locator('.message.user').first().hover();
  await nth(page, 'user', 'edit').click();
  await page.fill('.edit textarea', 'What is a salon?');
  await shot(page, 'edit');
  cable.cut();
  await page.press('.edit textarea', 'Enter');
  await page.locator('.edit').waitFor({ state: 'detached' });
  await finished(page);
  const edited = await settled('2/2 1/1', page, other);
  assert.equal(edited[0][1], 'What is a salon?');
  await nth(other, 'user', 'previous').click();
  await settled('1/2 1/2', page, other);
  await nth(other, 'assistant', 'next').click();
  await settled('1/2 2/2 1/1 1/1', page, other);
  await page.reload();
  await page.waitForSelector('.message');
  await settled('1/2 2/2 1/1 1/1', page, other);
  await shot(page, 'versions');
  calm();
  await context.close();
});

test('demo: a lost network and a killed server in the middle of another answer', { timeout: 120_000, skip: !ours && 'needs the path of a binary' }, async () => {
  const { context, page, other, calm } = await twoTabs('scripted:words=120,delay=40', { colorScheme: 'dark' });
  await say(page, 'What is a parlor?');
  await page.click('#stop');
  await finished(page);
  await settled('1/1 1/1', page, other);
  await context.setOffline(true);
  await nth(page, 'assistant', 'again').click();
  await page.locator('.note', { hasText: 'cannot be reached' }).waitFor();
  await shot(page, 'again-offline-dark');
  await context.setOffline(false);
  await page.locator('.note button', { hasText: 'Try again' }).click();
  await shows(other, '2/2');
  await page.waitForFunction(() => document.querySelector('.message.running .body')?.textContent.length > 40);
  await server.kill();
  await page.waitForSelector('#connection:not([hidden])');
  await server.start();
  const broken = await settled('1/1 2/2', page, other);
  const goOn = page.locator('.note button', { hasText: 'Go on' });
  await goOn.click();
  await other.waitForSelector('.message.running');
  const whole = await settled('1/1 2/2', page, other);
  assert.ok(whole[1][1].startsWith(broken[1][1]) && whole[1][1].length > broken[1][1].length, 'it goes on where it ended');
  assert.equal(await goOn.count(), 0);
  calm();
  await context.close();
});

test('demo: a tool is declined, approved after a kill, and let for good', { timeout: 120_000, skip: !ours && 'needs the path of a binary' }, async () => {
  const { context, page, other, calm } = await twoTabs(NOTE);
  const input = { name: 'notes', url: notes.url };
  await request(server.base, 'mutation ($input: AddToolServerInput!) { addToolServer(input: $input) { errors { message } } }', { input }, await token(page));
  await page.click('#answers');
  await page.check('#tools [name=server]');
  await shot(page, 'who-answers');
  await page.click('#answering .primary');
  await page.waitForSelector('#chat-dialog', { state: 'hidden' });
  const chips = async (tab) => (await tab.$$eval('.call', (all) => all.map((call) => call.dataset.status))).join(' ');

  await say(page, 'Note what to buy.');
  await page.locator('.approval button', { hasText: 'Decline' }).click();
  await settled('1/1 1/1', page, other);
  assert.deepEqual([await chips(page), await chips(other), notes.notes.length], ['DENIED', 'DENIED', 0]);

  await say(page, 'Note it, please.');
  await other.waitForSelector('.approval');
  await shot(page, 'approval');
  await server.kill();
  await page.waitForSelector('#connection:not([hidden])');
  await server.start();
  await page.waitForSelector('#connection', { state: 'hidden' });
  await other.reload();
  await other.waitForSelector('.approval');
  await other.locator('.approval .primary').press('Enter');
  await settled('1/1 1/1 1/1 1/1', page, other);
  assert.equal(await other.evaluate(() => document.activeElement.tagName), 'SUMMARY', 'the keyboard is at the call');
  assert.deepEqual([await chips(page), await chips(other), notes.notes], ['DENIED COMPLETED', 'DENIED COMPLETED', ['milk, bread']]);

  await say(page, 'Once more.');
  await page.locator('.approval button', { hasText: 'Always' }).click();
  await settled('1/1 1/1 1/1 1/1 1/1 1/1', page, other);
  await say(other, 'And again.');
  await settled('1/1 1/1 1/1 1/1 1/1 1/1 1/1 1/1', page, other);
  await other.locator('.call summary').last().click();
  assert.match(await other.locator('.call').last().textContent(), /milk, bread.*Note 3 is written/s);
  await shot(other, 'called');
  assert.equal(await chips(page), 'DENIED COMPLETED COMPLETED COMPLETED');
  calm();
  await context.close();
});

test('demo: a failure says what helps', { timeout: 60_000 }, async () => {
  const { context, page, calm } = await browser.newcomer('scripted:words=20,delay=5,fail=key_invalid', { viewport: { width: 390, height: 780 } });
  await say(page, 'What is a parlor?');
  await page.locator('.note.bad button', { hasText: 'Check the key' }).click();
  await page.waitForSelector('#settings[open]');
  await page.locator('#key option', { hasText: 'Anthropic' }).waitFor({ state: 'attached' });
  await shot(page, 'settings-phone');
  await page.click('#close-settings');
  await page.click('#answers');
  await page.waitForSelector('#tools input');
  await page.fill('#answering [name=model]', 'scripted:words=20,delay=5,retries=3');
  await page.click('#answering .primary');
  await page.waitForSelector('#chat-dialog', { state: 'hidden' });
  await page.locator('.note button', { hasText: 'Ask again' }).click();
  await shows(page, '2/2');
  const [, answer] = await settled('1/1 2/2', page);
  assert.ok(answer[1].length > 0);
  calm();
  await context.close();
});
