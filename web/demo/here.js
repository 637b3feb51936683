// Who is here, and who types: told at once, and never kept.
import { change } from './asking.js';
import { $, make } from './page.js';
import { thread } from './thread.js';

const here = new Map(); // user id -> ONLINE, AWAY or OFFLINE
const typists = new Map(); // chat id -> Map of user id -> { name, timer }
const WORDS = { ONLINE: 'Here', AWAY: 'Away', OFFLINE: 'Not here' };

/** Takes note of what was read of people. */
export function noted(users) {
  for (const { id, presence } of users) if (presence) here.set(id, presence.status);
}
/** A dot that says whether somebody is here, as long as it is on the page. */
export function dot(id) {
  const made = make('i', 'dot');
  made.dataset.user = id;
  paint(made);
  return made;
}
function paint(element) {
  const status = here.get(element.dataset.user) ?? 'OFFLINE';
  Object.assign(element, { title: WORDS[status], ariaLabel: WORDS[status] });
  element.setAttribute('role', 'img');
  element.dataset.status = status;
}

export const told = {
  PresenceChanged({ presence: { userId, status } }) {
    here.set(userId, status);
    document.querySelectorAll('.dot').forEach((each) => { if (each.dataset.user === userId) paint(each); });
  },
  TypingChanged({ chatId, userId, user, isTyping, expiresAt }) {
    const room = typists.get(chatId) ?? new Map();
    typists.set(chatId, room);
    clearTimeout(room.get(userId)?.timer);
    room.delete(userId);
    if (isTyping && user) {
      const over = () => { room.delete(userId); showTyping(); };
      room.set(userId, { name: user.displayName, timer: setTimeout(over, Date.parse(expiresAt) - Date.now()) });
    }
    showTyping();
  },
};

/** Says who types in the open room. */
export function showTyping() {
  const names = [...(typists.get(thread.chat)?.values() ?? [])].map(({ name }) => name);
  const all = names.length > 3 ? 'Several people' : names.join(', ');
  $('typing').textContent = names.length ? `${all} ${names.length > 1 ? 'are' : 'is'} typing…` : '';
}

let said = { chat: null, at: 0 };
/** Tells the others in the open room that one types, or does no more; not at every key. */
export function types(on) {
  if (!thread.people || (on ? said.chat === thread.chat && Date.now() - said.at < 3000 : said.chat !== thread.chat)) return;
  said = on ? { chat: thread.chat, at: Date.now() } : { chat: null, at: 0 };
  change('setTyping', { chatId: thread.chat, isTyping: on }).catch(() => {});
}
/** What was sent says by itself that one types no more. */
export const typed = () => { said = { chat: null, at: 0 }; };

/** A page that nobody looks at has nobody in front of it. */
export const look = () => change('setPresence', { away: document.hidden }).catch(() => {});
