// Four people in one group: two in the demo chat in Chromium, one with urql, one with Apollo Client. Cables are cut, the
// server is killed, and at the end each of them shows just what the database has.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { openBrowser, openChat, say, shot, token } from './browser.mjs';
import { plugIn } from './cable.mjs';
import { followRoom, fresh, sendSurely } from './rooms.mjs';
import { ours, startServer } from './server.mjs';
import { register, request } from './story.mjs';

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

/** What a page shows of the open room, in the words of `fresh`. */
const shown = (page, me) => page.$$eval('.message', (all, name) => all.map((message) => {
  const role = ['assistant', 'system'].find((word) => message.classList.contains(word))?.toUpperCase() ?? 'USER';
  const author = message.classList.contains('user') ? name : message.classList.contains('other') ? message.getAttribute('aria-label') : null;
  return [role, author, message.querySelector('.body').textContent];
}), me);
/** The same of the database: what people said with who said it, and what else happened. */
const plain = (rows) => rows.map(([role, author, content]) => [role, role === 'USER' ? author : null, content]);

async function choose(page, ...names) {
  for (const name of names) {
    await page.fill('[name=seek]', name);
    await page.locator('#found li', { hasText: name }).getByRole('button').click();
  }
}

test('group: two tabs, urql and Apollo Client through cut cables and a killed server', { timeout: 180_000 }, async () => {
  const ada = await browser.newcomer('scripted:words=20,delay=20', { name: 'Ada Lovelace' });
  const bob = await browser.newcomer('scripted:words=20,delay=20', { name: 'Bob Frost', colorScheme: 'dark' });
  const [cyd, dan] = [await register(server.base, 'Cyd Stone'), await register(server.base, 'Dan Reed')];

  await ada.page.click('#new-room');
  await choose(ada.page, bob.username, cyd.username, dan.username);
  await ada.page.fill('#gathering [name=title]', 'Garden club');
  await shot(ada.page, 'group-begins');
  await ada.page.click('#gather');
  await ada.page.locator('#title', { hasText: 'Garden club' }).waitFor();
  const room = await openChat(ada.page);
  await say(ada.page, 'Welcome, all.');
  await bob.page.locator('#chats button', { hasText: 'Garden club' }).locator('.unread', { hasText: '1' }).click();
  await bob.page.locator('#title', { hasText: 'Garden club' }).waitFor();
  await bob.page.locator('.unread').waitFor({ state: 'detached' });
  const urql = await followRoom('urql', cable.base, cyd.token, room);
  const apollo = await followRoom('apollo', cable.base, dan.token, room);

  /** Waits until the room has so many messages of people and whole answers, and all four show what the database has. */
  const settled = async (messages, answers = 0) => {
    for (const end = Date.now() + 30_000; ; await pause(100)) {
      const kept = await Promise.all([await token(ada.page), await token(bob.page), cyd.token, dan.token].map((who) => fresh(server.base, who, room)));
      const wanted = [plain(kept[0]), plain(kept[1]), kept[2], kept[3]];
      const seen = [await shown(ada.page, 'Ada Lovelace'), await shown(bob.page, 'Bob Frost'), urql.shown(), apollo.shown()];
      const said = kept[0].filter(([role]) => role === 'USER').length;
      const running = (await ada.page.$$('.message.running')).length;
      const answered = running ? 0 : kept[0].filter(([role, , text]) => role === 'ASSISTANT' && text).length;
      if (Date.now() > end) {
        assert.deepEqual([said, answered], [messages, answers]);
        assert.deepEqual(seen, wanted, 'everybody shows what the database has');
      }
      if (said === messages && answered === answers && isDeepStrictEqual(seen, wanted)) return kept[0];
    }
  };
  await Promise.all([
    say(ada.page, 'Who brings the tulips?'),
    say(bob.page, 'I have forty bulbs.'),
    sendSurely(server.base, cyd.token, room, 'Tulips are for April.', pause),
    sendSurely(server.base, dan.token, room, 'Then let us dig.', pause),
  ]);
  await settled(5);
  await shot(bob.page, 'group-dark');
  // An assistant joins, is asked by one of them, and all watch it answer.
  await ada.page.click('#people');
  await ada.page.locator('#members .dot[data-status=ONLINE]').nth(3).waitFor();
  await ada.page.locator('#helpers li').getByRole('button').first().click();
  await shot(ada.page, 'group-who');
  await ada.page.click('#gather');
  await bob.page.locator('#people', { hasText: '4 people, 1 AI' }).waitFor();
  await bob.page.locator('#text').pressSequentially('@Assis');
  await ada.page.locator('#typing', { hasText: 'Bob Frost is typing…' }).waitFor();
  await say(bob.page, '@Assistant, when do tulips bloom?');
  await ada.page.waitForSelector('.message.assistant');
  await settled(6, 1);
  assert.equal(await ada.page.textContent('#typing'), '', 'what was sent is typed no more');
  // They react to it, and to each other.
  for (const [tab, emoji] of [[ada, '👍'], [bob, '👍'], [bob, '❤️']]) {
    const answered = tab.page.locator('.message.assistant').last();
    await answered.hover();
    await answered.getByRole('button', { name: `React with ${emoji}` }).click();
  }
  for (const { page } of [ada, bob]) await page.locator('.message.assistant .reactions', { hasText: '👍 2❤️ 1' }).waitFor();
  await ada.page.getByRole('button', { name: 'Take back 👍' }).click();
  await bob.page.locator('.message.assistant .reactions', { hasText: '👍 1❤️ 1' }).waitFor();
  await shot(ada.page, 'group-answer');
  // The cable is cut while everybody talks.
  const talk = ['One.', 'Two.', 'Three.'].map(async (words, turn) => {
    await sendSurely(cable.base, cyd.token, room, `${words} (Cyd)`, pause);
    if (turn) cable.cut();
    await sendSurely(cable.base, dan.token, room, `${words} (Dan)`, pause);
  });
  await Promise.all(talk);
  await settled(12, 1);
  if (ours) {
    await server.kill();
    await ada.page.waitForSelector('#connection:not([hidden])');
    await server.start();
    await sendSurely(server.base, dan.token, room, 'Was the power out?', pause);
    await settled(13, 1);
  }
  // Somebody is shown the door: their stream ends, the others go on.
  const remove = 'mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { errors { code message } } }';
  const { viewer } = await request(server.base, '{ viewer { user { id } } }', {}, dan.token);
  await request(server.base, remove, { input: { chatId: room, userId: viewer.user.id } }, await token(ada.page));
  for (const end = Date.now() + 10_000; apollo.shown(); await pause(50)) assert.ok(Date.now() < end, 'who was removed learns it');
  assert.equal(await fresh(server.base, dan.token, room), null);
  await shot(ada.page, 'group');
  assert.deepEqual([urql.trouble, apollo.trouble], [[], []]);
  urql.close();
  apollo.close();
  ada.calm();
  bob.calm();
  await ada.context.close();
  await bob.context.close();
});
