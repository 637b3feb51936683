// The demo chat: an account, chats, and answers that stream in, whatever happens on the way.
import { CHAT, MESSAGE, change } from './asking.js';
import { settle } from './chat.js';
import { buttons, say } from './composer.js';
import { door } from './door.js';
import { ask, live, tokens } from './live.js';
import { edit, remedies } from './message.js';
import { $, attempt, button, complain, key } from './page.js';
import { model, refreshKeys, settings } from './settings.js';
import * as open from './thread.js';

const { thread } = open;
const chats = new Map(); // id -> the chat, the latest last
let always = null, cursor = null, serverKey = false;

door(enter, () => { chats.clear(); open.clear(); });

// ── the room ────────────────────────────────────────────────────────────────
/** Reads everything anew, and follows the events from there. */
async function enter() {
  const { viewer, serverInfo } = await ask(`{
    viewer { syncCursor user { displayName } apiKeys { id } chats(filter: { kinds: [ASSISTANT] }, first: 50) { nodes { ...K } } assistantChat { ...K } }
    serverInfo { providers { serverKey } limits { messageCharacters } } } ${CHAT}`);
  if (!viewer) return;
  serverKey = serverInfo.providers.some((provider) => provider.serverKey);
  $('keyless').hidden = serverKey || viewer.apiKeys.length > 0;
  $('text').maxLength = serverInfo.limits.messageCharacters;
  $('door').hidden = true;
  $('room').hidden = false;
  $('me').textContent = viewer.user.displayName;
  cursor = viewer.syncCursor;
  chats.clear();
  always = viewer.assistantChat.id;
  for (const chat of [...viewer.chats.nodes].reverse().concat(viewer.assistantChat)) chats.set(chat.id, chat);
  follow();
  live.open();
  const asked = location.hash.slice(1);
  await show(chats.has(asked) ? asked : always);
}
let unfollow = () => {};
function follow() {
  unfollow();
  unfollow = live.subscribe({
    query: `subscription Follow($after: String) { events(after: $after) { __typename cursor
      ... on ChatUpserted { chat { ...K } } ... on ChatRemoved { chatId }
      ... on BranchChanged { afterSequence chat { id messages(last: 50) { nodes { ...M } pageInfo { hasPreviousPage startCursor } } } }
      ... on HistoryCleared { chatId throughSequence } ... on ApiKeyHealthChanged { apiKey { id } }
      ... on MessageCreated { message { ...M } } ... on MessageUpdated { message { ...M } } } } ${MESSAGE} ${CHAT}`,
    variables: () => ({ after: cursor }),
    next({ events: event }) {
      cursor = event.cursor ?? cursor;
      happened[event.__typename]?.(event);
    },
    ended: (errors) => complain($('composer'), errors?.[0].message),
  });
}
const happened = {
  ResyncRequired: () => void start(),
  ChatUpserted({ chat }) {
    if (chat.kind !== 'ASSISTANT') return; // this page is for talking with AIs
    chats.delete(chat.id);
    chats.set(chat.id, chat);
    list();
  },
  ChatRemoved({ chatId }) {
    chats.delete(chatId);
    if (chatId === thread.chat) show(always);
    else list();
  },
  BranchChanged({ chat, afterSequence }) { if (chat.id === thread.chat) open.rebranch(afterSequence, chat.messages); },
  HistoryCleared({ chatId, throughSequence }) { if (chatId === thread.chat) open.forget(throughSequence); },
  MessageCreated({ message }) { if (message.chat.id === thread.chat) open.put(message); },
  MessageUpdated({ message }) { if (message.chat.id === thread.chat) open.put(message); },
  ApiKeyHealthChanged: refreshKeys,
};
/** The always-there chat, then the others with the latest first. */
function list() {
  const order = [always, ...[...chats.keys()].filter((id) => id !== always).reverse()];
  const name = (id) => chats.get(id)?.title || (id === always ? 'Assistant' : 'New chat');
  const focused = document.activeElement?.parentElement === $('chats') && document.activeElement.dataset.chat;
  $('chats').replaceChildren(...order.map((id) => {
    const made = Object.assign(button(name(id), '', () => show(id)), { title: name(id) });
    made.dataset.chat = id;
    if (id === thread.chat) made.setAttribute('aria-current', 'true');
    return made;
  }));
  if (focused) $('chats').querySelector(`[data-chat="${focused}"]`)?.focus();
  $('title').textContent = name(thread.chat);
  document.title = thread.chat === always ? 'Parlor' : `${name(thread.chat)} · Parlor`;
  who();
}
function who() {
  const answers = thread.latest?.model ?? chats.get(thread.chat)?.model ?? 'Model & tools';
  $('answers').textContent = answers.replace(/^scripted:.*/, 'scripted');
}
thread.onchange = () => {
  $('empty').hidden = !thread.empty;
  who();
  buttons();
};
async function show(id) {
  $('room').classList.remove('menu');
  complain($('composer'));
  history.replaceState(null, '', `#${id}`);
  $('empty').hidden = true;
  const shown = open.open(id);
  list();
  if (!(await shown)) return;
  if (matchMedia('(hover: hover)').matches) $('text').focus();
}
$('earlier').onclick = () => attempt($('composer'), open.earlier);
$('menu').onclick = () => $('room').classList.toggle('menu');
$('messages').onclick = () => $('room').classList.remove('menu');
const newChat = () => attempt($('composer'), async () => {
  const { chat } = await change('createChat', { idempotencyKey: key(), model: model() }, 'chat { ...K }', CHAT);
  chats.set(chat.id, chat);
  await show(chat.id);
});
$('new-chat').onclick = newChat;
for (const idea of document.querySelectorAll('#ideas button')) idea.onclick = () => say(idea.textContent);
const openSettings = () => settings((keys) => { $('keyless').hidden = serverKey || keys > 0; });
$('open-settings').onclick = $('add-key').onclick = openSettings;
const openChat = () => settle(chats.get(thread.chat));
$('answers').onclick = openChat;
Object.assign(remedies, {
  CHECK_KEY: ['Check the key', openSettings],
  CHANGE_MODEL: ['Change the model', openChat],
  SHORTEN_CONVERSATION: ['Start a new chat', newChat],
  REPHRASE: ['Put it in other words', ({ root }) => edit(root.previousSibling.shown)],
});

// ── the start ───────────────────────────────────────────────────────────────
live.onchange = (connected) => {
  $('connection').hidden = connected;
  $('connection').textContent = 'The connection is lost. Trying again…';
};
async function start(wait = 500) {
  if (!tokens.get()) return void ($('door').hidden = false);
  try {
    await enter();
  } catch (error) {
    live.onchange(false);
    if (!(error instanceof TypeError)) $('connection').textContent = error.message;
    setTimeout(start, wait, Math.min(wait * 2, 10_000));
  }
}
start();
