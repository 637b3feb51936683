// The open chat: its messages, and its answers as they are written.
import { ANSWER, CALL, MESSAGE } from './asking.js';
import { ask, live } from './live.js';
import { DONE, blank, paint, passing, pressed } from './message.js';
import { $, complain } from './page.js';
import { merged } from './tools.js';

const messages = new Map(); // id or idempotency key -> what message.js shows
const answers = new Map(); // generation id -> what is known of it
const watching = new Map(); // generation id -> unsubscribe

export const thread = {
  me: null, // the id of who reads
  chat: null, // the id of the open chat
  people: false, // whether it is a room of people
  branch: 0, // grows when other messages are shown: what was asked for before may not belong here any more
  earliest: null,
  onchange: () => {},
  get running() { return [...watching.keys()]; },
  get empty() { return messages.size === 0; },
  get latest() {
    const last = [...$('messages').children].findLast(({ shown }) => shown.data.generation);
    return answers.get(last?.shown.data.generation.id);
  },
};
const stuck = () => $('scroll').scrollHeight - $('scroll').scrollTop - $('scroll').clientHeight < 80;
export const atEnd = stuck;
export const toEnd = () => { $('scroll').scrollTop = $('scroll').scrollHeight; };
export const pending = (key) => messages.get(key);

/** Nothing of any chat is held any more. */
export function clear(chat = null) {
  watching.forEach((stop) => stop());
  for (const held of [watching, messages, answers]) held.clear();
  $('messages').replaceChildren();
  thread.chat = chat;
  thread.branch++;
}

/** Opens a chat; false when another one was opened meanwhile. */
export async function open(chat, people) {
  clear(chat);
  thread.people = people;
  const found = await page();
  if (!found) return false;
  take(found);
  toEnd();
  thread.onchange();
  return true;
}
export async function earlier() {
  const found = await page(thread.earliest);
  if (found) take(found);
}
async function page(before) {
  for (;;) {
    const { chat: id, branch } = thread;
    const { chat } = await ask(
      `query Page($id: ID!, $before: String) { viewer { id } chat(id: $id) { messages(last: 50, before: $before) {
        nodes { ...M } pageInfo { hasPreviousPage startCursor } } } } ${MESSAGE}`,
      { id, before },
    );
    if (thread.chat !== id) return null;
    if (thread.branch === branch) return chat?.messages;
    if (before) return null; // It is another history now, and brought its own beginning.
  }
}
function take({ nodes, pageInfo }) {
  nodes.forEach(put);
  thread.earliest = pageInfo.startCursor;
  $('earlier').hidden = !pageInfo.hasPreviousPage;
}

/** Another branch: what is behind `after` makes room for what is there now, the newest page of the chat. */
export function rebranch(after, found) {
  const bottom = stuck();
  thread.branch++;
  const all = found.nodes.every(({ sequence }) => sequence > after);
  for (const shown of [...messages.values()]) if (shown.data.id && (all || shown.data.sequence > after)) drop(shown);
  if (all) take(found);
  else found.nodes.forEach(put);
  refocus(after);
  if (bottom) toEnd();
  thread.onchange();
}
/** Where somebody pressed a button of the message that was there, they are at the one in its place. */
function refocus(after) {
  const { act } = pressed;
  pressed.act = null;
  if (!act || document.activeElement !== document.body) return;
  const first = [...$('messages').children].find(({ shown }) => shown.data.sequence > after);
  const button = first?.querySelector(`[data-act=${act}]:enabled`) ?? first?.querySelector('.row button:enabled');
  button?.focus({ preventScroll: true });
}
export function forget(through) {
  for (const shown of [...messages.values()]) if (shown.data.id && shown.data.sequence <= through) drop(shown);
  thread.onchange();
}
function drop(shown) {
  const { data, root } = shown;
  watching.get(data.generation?.id)?.();
  watching.delete(data.generation?.id);
  answers.delete(data.generation?.id);
  messages.delete(data.id ?? data.idempotencyKey);
  const before = root.previousSibling;
  root.remove();
  before?.shown.repaint();
}

/** Takes a message in, once, whichever way it came; an older version changes nothing. */
export function put(data) {
  const waiting = messages.get(data.idempotencyKey);
  let shown = messages.get(data.id) ?? waiting;
  if (shown?.data?.version > data.version) return;
  if (data.active === false) return void (shown && drop(shown));
  shown ??= blank();
  shown.people = thread.people;
  if (waiting) messages.delete(data.idempotencyKey);
  messages.set(data.id ?? data.idempotencyKey, shown);
  shown.data = data;
  shown.repaint = () => repaint(shown);
  if (data.generation) {
    absorb(data.generation);
    if (!DONE.has(answers.get(data.generation.id).status)) watch(data.generation.id);
  }
  place(shown);
  repaint(shown);
  shown.root.previousSibling?.shown.repaint();
  if (thread.people) shown.root.nextSibling?.shown.repaint();
  thread.onchange();
}
/** Somebody is called otherwise now. */
export function rename({ id, displayName }) {
  for (const shown of messages.values()) {
    if (shown.data.author?.id !== id) continue;
    shown.data.author = { id, displayName };
    repaint(shown);
  }
}
/** The newest message that is here, of all that the server has. */
export const newest = () => [...$('messages').children].findLast(({ shown }) => shown.data.id)?.shown.data;
function place({ data, root }) {
  let next = $('messages').lastElementChild;
  if (next === root) next = root.previousElementSibling;
  let after = null;
  for (; next && next.shown.data.sequence > data.sequence; next = next.previousElementSibling) if (next !== root) after = next;
  if (!root.isConnected || root.nextSibling !== after) $('messages').insertBefore(root, after);
}
function repaint(shown) {
  const bottom = stuck();
  paint(shown, answers.get(shown.data.generation?.id), thread.me);
  if (bottom) toEnd();
}

/** Newer knowledge of an answer replaces older; a final state stays. */
function absorb(generation) {
  const known = answers.get(generation.id);
  const toolCalls = merged(known?.toolCalls, generation.toolCalls);
  const older = known && (DONE.has(known.status) || (generation.sequence <= known.sequence && !DONE.has(generation.status)));
  answers.set(generation.id, older ? Object.assign(known, { toolCalls }) : { ...known, ...generation, toolCalls, passing: null });
}
/** Follows one answer from the last sequence that is here. */
function watch(id) {
  if (watching.has(id)) return;
  const show = () => {
    for (const shown of messages.values()) if (shown.data.generation?.id === id) repaint(shown);
  };
  watching.set(id, live.subscribe({
    query: `subscription Watch($id: ID!, $after: Int) { generationEvents(generationId: $id, after: $after) { __typename sequence
      ... on GenerationSnapshot { text reasoning } ... on GenerationDelta { channel delta: text }
      ... on GenerationRetrying { afterMs code } ... on GenerationFellBack { provider model code }
      ... on GenerationToolCall { toolCall { ...C } } ... on GenerationFinished { generation { ...G } } } } ${ANSWER}`,
    variables: () => ({ id, after: answers.get(id)?.sequence || undefined }),
    next({ generationEvents: event }) {
      const known = answers.get(id);
      if (!known) return;
      hear(known, event);
      if (event.__typename === 'GenerationFinished' || event.__typename === 'GenerationFellBack') thread.onchange();
      show();
    },
    ended(errors) {
      watching.delete(id);
      if (errors) complain($('composer'), errors[0].message);
      show();
      thread.onchange();
    },
  }));
}
function hear(known, event) {
  if (event.__typename === 'GenerationSnapshot') {
    Object.assign(known, { text: event.text, reasoning: event.reasoning, sequence: event.sequence });
    // What it does not tell are the calls that were made before it.
    if (event.sequence) calls(known).catch(console.warn);
    return;
  }
  if (event.generation) return absorb(event.generation);
  if (event.sequence <= known.sequence) return;
  known.sequence = event.sequence;
  known.passing = null;
  if (event.__typename === 'GenerationRetrying') known.passing = passing(event);
  if (event.__typename === 'GenerationFellBack') Object.assign(known, { passing: passing(event), provider: event.provider, model: event.model });
  if (event.toolCall) known.toolCalls = merged(known.toolCalls, [event.toolCall]);
  if (event.delta) {
    const part = event.channel === 'REASONING' ? 'reasoning' : 'text';
    known[part] = (known[part] ?? '') + event.delta;
  }
}
async function calls({ id }) {
  const { generation } = await ask(`query Calls($id: ID!) { viewer { id } generation(id: $id) { toolCalls { ...C } } } ${CALL}`, { id });
  const known = answers.get(id);
  if (known && generation) known.toolCalls = merged(known.toolCalls, generation.toolCalls);
  for (const shown of messages.values()) if (shown.data.generation?.id === id) repaint(shown);
}
