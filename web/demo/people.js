// Rooms of people: what they are called, opening one, and who is in it.
import { CHAT, change } from './asking.js';
import { dot, noted } from './here.js';
import { ask } from './live.js';
import { $, attempt, button, key, make } from './page.js';

/** What a chat is called for `me`: a direct one by the other person. */
export function called(chat, me) {
  if (!chat || chat.title) return chat?.title;
  if (chat.kind === 'DIRECT') return chat.members.nodes.find(({ user }) => user.id !== me)?.user.displayName ?? 'Somebody';
  return chat.kind === 'GROUP' ? 'Group' : null;
}

let room = null; // the room that the dialog is about; null for a new one
let once = ''; // the key of the room to be made: pressed twice, it is made once
let begun = () => {};
const chosen = new Map(); // id -> a person, or an assistant
let helpers = []; // the assistants that can be asked in

/** Asks with whom; `then` gets the chat. */
export function gather(then) {
  begun = then;
  show(null, 'Talk with people');
}
/** Who is in a room; whoever may adds others. */
export const inside = (chat) => show(chat, 'Who is in this room');

function show(chat, heading) {
  room = chat;
  once = key();
  chosen.clear();
  const form = $('gathering');
  form.reset();
  const direct = chat?.kind === 'DIRECT';
  $('people-heading').textContent = heading;
  $('room-title').hidden = Boolean(chat);
  $('seek').hidden = $('gather').hidden = direct;
  $('leave-room').hidden = !chat || direct;
  $('gather').textContent = chat ? 'Add' : 'Begin';
  $('found').replaceChildren();
  helpers = [];
  list([]);
  $('people-dialog').showModal();
  if (!direct) attempt(form, assistants);
  if (chat) attempt(form, members);
}
async function members() {
  const { chat } = await ask('query Members($id: ID!) { viewer { id } chat(id: $id) { members(first: 100) { nodes { role user { id displayName username presence { status } } } } } }', { id: room.id });
  const there = chat?.members.nodes ?? [];
  noted(there.map(({ user }) => user));
  list(there);
}
async function assistants() {
  const { viewer } = await ask('query Assistants { viewer { assistants(first: 8) { nodes { __typename id displayName } } } }');
  helpers = viewer.assistants.nodes;
  list.again();
}
function list(there) {
  const rows = there.map(({ user, role }) => person(user, role === 'MEMBER' ? '' : role.toLowerCase()));
  const inside = room?.assistants ?? [];
  rows.push(...inside.map((helper) => person({ ...helper, __typename: 'Assistant' })));
  const more = helpers.filter(({ id }) => !chosen.has(id) && !inside.some((helper) => helper.id === id));
  $('helpers').replaceChildren(...more.map((helper) => person(helper, '', button('Ask in', 'quiet', () => {
    chosen.set(helper.id, helper);
    list(there);
  }))));
  const added = [...chosen.values()].map((user) => person(user, '', button('Remove', 'quiet', () => {
    chosen.delete(user.id);
    list(there);
  })));
  $('members').replaceChildren(...rows, ...added);
  $('gather').disabled = !chosen.size;
  list.again = () => list(there);
}
function person(user, hint, ...more) {
  const item = make('li');
  const words = make('span', '', `${user.displayName} `);
  const what = user.username ? `@${user.username}` : `AI, answers to @${user.displayName}`;
  words.append(make('small', '', [what, hint].filter(Boolean).join(' · ')));
  item.append(...(user.presence ? [dot(user.id)] : []), words, ...more);
  return item;
}

let asked = 0;
$('gathering').seek.oninput = ({ target }) => attempt($('gathering'), async () => {
  const turn = ++asked;
  const query = target.value.trim();
  const people = query ? (await ask('query Find($query: String!) { viewer { id } findUsers(query: $query, first: 8) { nodes { id displayName username } } }', { query })).findUsers.nodes : [];
  if (turn !== asked) return; // more was typed meanwhile
  $('found').replaceChildren(...people.filter(({ id }) => !chosen.has(id)).map((user) => person(user, '', button('Choose', 'quiet', () => {
    chosen.set(user.id, user);
    target.value = '';
    $('found').replaceChildren();
    list.again();
    target.focus();
  }))));
});
$('close-people').onclick = () => $('people-dialog').close();
$('leave-room').onclick = () => attempt($('gathering'), async () => {
  await change('leaveChat', { chatId: room.id });
  $('people-dialog').close();
});
$('gathering').onsubmit = (event) => {
  event.preventDefault();
  const form = event.target;
  if (!chosen.size) return;
  $('gather').disabled = true;
  attempt(form, async () => {
    const of = (kind) => [...chosen.values()].filter(({ __typename }) => (__typename === 'Assistant') === kind).map(({ id }) => id);
    const [people, assistantIds] = [of(false), of(true)];
    if (room) {
      if (people.length) await change('addMembers', { chatId: room.id, userIds: people });
      if (assistantIds.length) await change('addAssistants', { chatId: room.id, assistantIds });
    } else {
      const title = form.title.value.trim() || undefined;
      const alone = people.length === 1 && !title && !assistantIds.length;
      const input = alone ? { kind: 'DIRECT' } : { kind: 'GROUP', title, assistantIds, idempotencyKey: once };
      const { chat } = await change('createChat', { ...input, memberIds: people }, 'chat { ...K }', CHAT);
      $('people-dialog').close();
      return begun(chat);
    }
    $('people-dialog').close();
  }).finally(() => { $('gather').disabled = false; });
};
