// The demo chat: an account, chats with AIs and with people, and answers that stream in, whatever happens on the way.
import { CHAT, MESSAGE, change } from './asking.js';
import { settle } from './chat.js';
import { buttons, say } from './composer.js';
import { door } from './door.js';
import { dot, look, noted, showTyping, told } from './here.js';
import { ask, live, tokens } from './live.js';
import { edit, remedies } from './message.js';
import { $, attempt, button, complain, key, make } from './page.js';
import { called, gather, inside } from './people.js';
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
    viewer { syncCursor user { id displayName } apiKeys { id } chats(first: 50) { nodes { ...K } } assistantChat { ...K } }
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
  thread.me = viewer.user.id;
  for (const chat of [...viewer.chats.nodes].reverse().concat(viewer.assistantChat)) chats.set(chat.id, chat);
  for (const chat of chats.values()) noted(chat.members.nodes.map(({ user }) => user));
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
      ... on UserUpdated { user { id displayName } } ... on PresenceChanged { presence { userId status } } ... on TypingChanged { chatId userId user { displayName } isTyping expiresAt }
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
  ...told,
  ResyncRequired: () => void start(),
  ChatUpserted({ chat }) {
    const known = chats.get(chat.id);
    if (known?.version > chat.version) return;
    // What was only read or renamed keeps its place.
    if (known?.lastMessage?.id !== chat.lastMessage?.id) chats.delete(chat.id);
    chats.set(chat.id, chat);
    noted(chat.members.nodes.map(({ user }) => user));
    list();
    if (chat.id === thread.chat) see();
  },
  ChatRemoved({ chatId }) {
    chats.delete(chatId);
    if (chatId === thread.chat) show(always);
    else list();
  },
  BranchChanged({ chat, afterSequence }) { if (chat.id === thread.chat) open.rebranch(afterSequence, chat.messages); },
  HistoryCleared({ chatId, throughSequence }) { if (chatId === thread.chat) open.forget(throughSequence); },
  MessageCreated({ message }) {
    if (message.chat.id !== thread.chat) return;
    const bottom = open.atEnd();
    open.put(message);
    if (bottom) open.toEnd();
    see();
  },
  MessageUpdated({ message }) { if (message.chat.id === thread.chat) open.put(message); },
  ApiKeyHealthChanged: refreshKeys,
  UserUpdated({ user }) {
    if (user.id === thread.me) $('me').textContent = user.displayName;
    for (const chat of chats.values()) for (const { user: member } of chat.members.nodes) if (member.id === user.id) member.displayName = user.displayName;
    open.rename(user);
    list();
  },
};
/** The always-there chat, then the others with the latest first. */
function list() {
  const order = [always, ...[...chats.keys()].filter((id) => id !== always).reverse()];
  const name = (id) => called(chats.get(id), thread.me) || (id === always ? 'Assistant' : 'New chat');
  const focused = document.activeElement?.parentElement === $('chats') && document.activeElement.dataset.chat;
  $('chats').replaceChildren(...order.map((id) => {
    const made = Object.assign(button('', '', () => show(id)), { title: name(id) });
    const unread = id !== thread.chat && chats.get(id)?.viewerState?.unreadCount;
    const other = chats.get(id)?.kind === 'DIRECT' && otherOf(chats.get(id));
    made.append(...(other ? [dot(other)] : []), make('span', '', name(id)), ...(unread ? [Object.assign(make('span', 'unread', unread > 99 ? '99+' : unread), { ariaLabel: `${unread} unread` })] : []));
    made.dataset.chat = id;
    if (id === thread.chat) made.setAttribute('aria-current', 'true');
    return made;
  }));
  if (focused) $('chats').querySelector(`[data-chat="${focused}"]`)?.focus();
  $('title').textContent = name(thread.chat);
  document.title = thread.chat === always ? 'Parlor' : `${name(thread.chat)} · Parlor`;
  who();
}
/** The id of the other person of a direct chat. */
const otherOf = (chat) => chat.members.nodes.find(({ user }) => user.id !== thread.me)?.user.id;
function who() {
  const answers = thread.latest?.model ?? chats.get(thread.chat)?.model ?? 'Model & tools';
  $('answers').textContent = answers.replace(/^scripted:.*/, 'scripted');
  const chat = chats.get(thread.chat);
  $('answers').hidden = thread.people;
  $('people').hidden = !thread.people;
  const helpers = chat?.assistants ?? [];
  const count = [`${chat?.memberCount} people`, helpers.length && `${helpers.length} AI`].filter(Boolean).join(', ');
  $('people').textContent = chat?.kind === 'GROUP' ? count : 'Direct chat';
  const asks = thread.people && helpers.length > 0;
  $('text').placeholder = asks ? `Write a message… @${helpers[0].displayName} answers` : 'Write a message…';
}
/** Tells the server what somebody has before their eyes. */
function see() {
  const chat = chats.get(thread.chat);
  const last = open.newest();
  if (document.hidden || !chat || !last || last.sequence <= Math.max(chat.viewerState?.lastReadSequence ?? 0, seen.get(chat.id) ?? 0)) return;
  seen.set(chat.id, last.sequence);
  change('markRead', { chatId: chat.id, messageId: last.id }).catch(() => seen.delete(chat.id));
}
const seen = new Map(); // chat id -> the sequence that the server was told
document.addEventListener('visibilitychange', () => {
  see();
  if (tokens.get()) look();
});
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
  thread.onchange();
  const shown = open.open(id, chats.get(id)?.kind !== 'ASSISTANT');
  $('messages').classList.toggle('people-room', thread.people);
  for (const part of ['ideas', 'keyless']) $(part).classList.toggle('elsewhere', thread.people);
  list();
  showTyping();
  if (!(await shown)) return;
  see();
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
/** Puts a chat into the list, whether or not its event has come yet, and opens it. */
const opened = async (chat) => {
  if (!(chats.get(chat.id)?.version > chat.version)) chats.set(chat.id, chat);
  await show(chat.id);
};
$('new-room').onclick = () => gather(opened);
$('people').onclick = () => inside(chats.get(thread.chat));
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
