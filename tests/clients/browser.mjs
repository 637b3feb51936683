// A person's Chromium that reaches nothing but the server under test.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const shots = process.env.SHOTS ?? join(import.meta.dirname, 'screenshots');
export const shot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`) });

/** Opens it for the server at `base`. */
export async function openBrowser(base) {
  await mkdir(shots, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });

  /** A page that may reach the server alone, and whose every complaint is kept; `tab` opens another beside it. */
  async function visitor(path, options) {
    const context = await browser.newContext({ viewport: { width: 1180, height: 780 }, ...options });
    const strays = [];
    const complaints = [];
    await context.route(
      (url) => url.host !== new URL(base).host,
      (route) => { strays.push(route.request().url()); return route.abort(); },
    );
    const tab = async (to) => {
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        const cutOff = /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket connection/.test(message.text());
        if (message.type() === 'error' && !cutOff) complaints.push(message.text());
      });
      await page.goto(base + to);
      return page;
    };
    const page = await tab(path);
    const calm = () => {
      assert.deepEqual(strays, [], 'the page asked another host');
      assert.deepEqual(complaints, [], 'the page complained');
    };
    return { context, page, tab, calm };
  }

  /** An account in the demo, and an empty chat with `model`. */
  async function newcomer(model, { name: displayName = 'Ada Lovelace', ...options } = {}) {
    const visit = await visitor('/demo', options);
    const { page } = visit;
    await page.evaluate((name) => localStorage.setItem('parlor.model', name), model);
    const username = `walker${randomUUID().slice(0, 8)}`;
    await page.fill('[name=displayName]', displayName);
    await page.fill('[name=username]', username);
    await page.fill('[name=email]', `${username}@example.com`);
    await page.fill('[name=password]', 'a long walk in the park 42');
    await shot(page, 'door');
    await page.click('#enter');
    await page.waitForSelector('#room:not([hidden])');
    if (await page.isVisible('#menu')) await page.click('#menu');
    await page.click('#new-chat');
    // Until it is open, what is sent goes to the chat that was open before.
    await page.locator('#title', { hasText: 'New chat' }).waitFor();
    return { ...visit, username };
  }
  return { visitor, newcomer, close: () => browser.close() };
}

export async function say(page, words) {
  await page.fill('#text', words);
  await page.press('#text', 'Enter');
}
export const token = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('parlor.tokens')).accessToken);
export const openChat = async (page) => (await page.evaluate(() => location.hash)).slice(1);
export const finished = (page) => page.waitForSelector('.message.assistant:last-child:not(.running)', { timeout: 60_000 });
