// The demo chat: an account, chats, and answers that stream in, whatever happens on the way.
import { ask, live, onSignedOut, tokens } from './live.js';
import { $, attempt, complain, link, make } from './page.js';
import { render } from './prose.js';
import { model, settings } from './settings.js';

const ANSWER = 'fragment G on Generation { id status model text reasoning sequence error { code message } }';
const MESSAGE = `fragment M on Message { id role content sequence version idempotencyKey chat { id } generation { ...G } } ${ANSWER}`;
const DONE = new Set(['COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED']);
const ENDINGS = { STOPPED: 'Stopped.', INTERRUPTED: 'The answer was interrupted.', FAILED: 'The answer failed.' };

const chats = new Map(); // id -> { id, title }
const messages = new Map(); // of the open chat: id or idempotency key -> { data, root, body, note }
const answers = new Map(); // generation id -> what is known of it
const watching = new Map(); // generation id -> unsubscribe
let open = null, always = null, cursor = null, earliest = null, visit = 0, serverKey = false;

const key = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

// ── the door ────────────────────────────────────────────────────────────────
let entering = 'register';
function choose(way) {
  entering = way;
  for (const name of ['register', 'login']) {
    $(`tab-${name}`).setAttribute('aria-selected', name === way);
    $(`${name}-fields`).hidden = $(`${name}-fields`).disabled = name !== way;
  }
  $('sign').password.autocomplete = way === 'register' ? 'new-password' : 'current-password';
  $('enter').textContent = way === 'register' ? 'Create account' : 'Sign in';
}
$('tab-register').onclick = () => choose('register');
$('tab-login').onclick = () => choose('login');
$('sign').onsubmit = (event) => {
  event.preventDefault();
  const form = event.target;
  form.querySelectorAll('label .error').forEach((old) => old.remove());
  attempt(form, async () => {
    const payload = '{ tokens { accessToken refreshToken expiresAt } errors { message field } }';
    const type = entering === 'register' ? 'RegisterInput' : 'LoginInput';
    const answer = await ask(`mutation Enter($input: ${type}!) { ${entering}(input: $input) ${payload} }`, {
      input: Object.fromEntries(new FormData(form)),
    });
    const { tokens: given, errors } = answer[entering];
    for (const { message, field } of errors) {
      const input = form.elements[field?.at(-1)];
      if (input) input.closest('label').append(make('span', 'error', message));
      else complain(form, message);
    }
    if (!given) return;
    tokens.set(given);
    form.reset();
    await enter();
  });
};
onSignedOut((reason) => {
  for (const held of [chats, messages, answers, watching]) held.clear();
  open = null;
  $('room').hidden = true;
  $('door').hidden = false;
  $('connection').hidden = true;
  choose(reason ? 'login' : entering);
  complain($('sign'), reason);
});
$('sign-out').onclick = async () => {
  await ask('mutation { logout(input: { everywhere: false }) { errors { message } } }').catch(console.warn);
  tokens.clear();
  location.reload();
};

// ── the room ────────────────────────────────────────────────────────────────
/** Reads everything anew, and follows the events from there. */
async function enter() {
  const { viewer, serverInfo } = await ask(`{
    viewer { syncCursor user { displayName } apiKeys { id } chats(first: 50) { nodes { id title model } } assistantChat { id title model } }
    serverInfo { providers { serverKey } limits { messageCharacters } } }`);
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
      ... on ChatUpserted { chat { id title model } } ... on ChatRemoved { chatId }
      ... on MessageCreated { message { ...M } } ... on MessageUpdated { message { ...M } } } } ${MESSAGE}`,
    variables: () => ({ after: cursor }),
    next({ events: event }) {
      cursor = event.cursor ?? cursor;
      if (event.__typename === 'ResyncRequired') return void start();
      if (event.chat ?? event.chatId) chats.delete(event.chatId ?? event.chat.id);
      if (event.chat) chats.set(event.chat.id, event.chat);
      if (event.chat ?? event.chatId) list();
      if (event.message?.chat.id === open) put(event.message);
    },
    ended: (errors) => complain($('composer'), errors?.[0].message),
  });
}
/** The always-there chat, then the others with the latest first. */
function list() {
  const order = [always, ...[...chats.keys()].filter((id) => id !== always).reverse()];
  const name = (id) => chats.get(id)?.title || (id === always ? 'Assistant' : 'New chat');
  $('chats').replaceChildren(...order.map((id) => {
    const button = Object.assign(make('button', '', name(id)), { title: name(id) });
    if (id === open) button.setAttribute('aria-current', 'true');
    button.onclick = () => show(id);
    return button;
  }));
  $('title').textContent = name(open);
  document.title = open === always ? 'Parlor' : `${name(open)} · Parlor`;
  const latest = [...messages.values()].filter(({ data }) => data.generation).sort((a, b) => a.data.sequence - b.data.sequence).at(-1);
  $('answers').textContent = latest?.data.generation.model ?? chats.get(open)?.model ?? '';
}
async function page(before) {
  const { chat } = await ask(
    `query Page($id: ID!, $before: String) { viewer { id } chat(id: $id) { messages(last: 50, before: $before) {
      nodes { ...M } pageInfo { hasPreviousPage startCursor } } } } ${MESSAGE}`,
    { id: open, before },
  );
  return chat?.messages;
}
async function show(id) {
  const mine = ++visit;
  watching.forEach((stop) => stop());
  for (const held of [watching, messages, answers]) held.clear();
  $('messages').replaceChildren();
  $('room').classList.remove('menu');
  complain($('composer'));
  history.replaceState(null, '', `#${(open = id)}`);
  list();
  const found = await page();
  if (mine !== visit || !found) return;
  earlier(found);
  $('empty').hidden = messages.size > 0;
  $('scroll').scrollTop = $('scroll').scrollHeight;
  buttons();
  if (matchMedia('(hover: hover)').matches) $('text').focus();
}
function earlier({ nodes, pageInfo }) {
  nodes.forEach(put);
  earliest = pageInfo.startCursor;
  $('earlier').hidden = !pageInfo.hasPreviousPage;
}
$('earlier').onclick = async () => earlier(await page(earliest));
$('menu').onclick = () => $('room').classList.toggle('menu');
$('messages').onclick = () => $('room').classList.remove('menu');
$('new-chat').onclick = () => attempt($('composer'), async () => {
  const input = { idempotencyKey: key(), model: model() };
  const { createChat } = await ask('mutation New($input: CreateChatInput!) { createChat(input: $input) { chat { id title model } errors { message } } }', { input });
  if (!createChat.chat) throw new Error(createChat.errors[0].message);
  chats.set(createChat.chat.id, createChat.chat);
  await show(createChat.chat.id);
});
for (const idea of document.querySelectorAll('#ideas button')) idea.onclick = () => say(idea.textContent);
for (const opener of ['open-settings', 'add-key']) {
  $(opener).onclick = () => settings((keys) => { $('keyless').hidden = serverKey || keys > 0; });
}

// ── messages ────────────────────────────────────────────────────────────────
/** Takes a message in, once, whichever way it came; an older version changes nothing. */
function put(data) {
  const pending = messages.get(data.idempotencyKey);
  const shown = messages.get(data.id) ?? pending ?? { root: make('article', ''), body: make('div', 'body'), note: make('p', 'note') };
  if (shown.data?.version > data.version) return;
  if (pending) messages.delete(data.idempotencyKey);
  messages.set(data.id ?? data.idempotencyKey, shown);
  shown.data = data;
  if (data.generation) {
    absorb(data.generation);
    if (!DONE.has(answers.get(data.generation.id).status)) watch(data.generation.id);
  }
  if (!shown.root.isConnected) shown.root.append(shown.body, shown.note);
  const following = [...messages.values()].filter((other) => other.data.sequence > data.sequence);
  const next = following.sort((a, b) => a.data.sequence - b.data.sequence)[0]?.root ?? null;
  if (!shown.root.isConnected || shown.root.nextSibling !== next) $('messages').insertBefore(shown.root, next);
  $('empty').hidden = true;
  paint(shown);
  if (data.generation) list();
}
/** Newer knowledge of an answer replaces older; a final state stays. */
function absorb(generation) {
  const known = answers.get(generation.id);
  if (known && (DONE.has(known.status) || (generation.sequence <= known.sequence && !DONE.has(generation.status)))) return;
  answers.set(generation.id, { ...known, ...generation });
}
function paint({ data, root, body, note }) {
  const stuck = $('scroll').scrollHeight - $('scroll').scrollTop - $('scroll').clientHeight < 80;
  const answer = data.generation && answers.get(data.generation.id);
  const running = answer && !DONE.has(answer.status);
  root.className = `message ${data.role.toLowerCase()}${running ? ' running' : ''}${data.id ? '' : ' pending'}`;
  const text = answer ? answer.text || data.content : data.content;
  if (data.role === 'ASSISTANT') render(body, text);
  else body.textContent = text;
  if (answer?.reasoning && !root.querySelector('.reasoning')) root.prepend(make('div', 'reasoning'));
  if (answer?.reasoning) root.querySelector('.reasoning').textContent = answer.reasoning;
  if (data.id) {
    note.textContent = (answer?.error?.message ?? ENDINGS[answer?.status] ?? '') + ' ';
    note.className = answer?.status === 'FAILED' ? 'note bad' : 'note';
    if (/^KEY_/.test(answer?.error?.code)) note.append(link('Add a key', () => $('open-settings').click()));
    else if (['FAILED', 'INTERRUPTED'].includes(answer?.status)) note.append(link('Ask again', () => say(question(data))));
  }
  note.hidden = !note.textContent.trim();
  if (stuck) $('scroll').scrollTop = $('scroll').scrollHeight;
}
/** What an answer was asked. */
function question({ sequence }) {
  const asked = [...messages.values()].map(({ data }) => data).filter(({ role, sequence: own }) => role === 'USER' && own < sequence);
  return asked.sort((a, b) => a.sequence - b.sequence).at(-1)?.content ?? 'Please go on.';
}
/** Follows one answer from the last sequence that is here. */
function watch(id) {
  if (watching.has(id)) return;
  const repaint = () => {
    for (const shown of messages.values()) if (shown.data.generation?.id === id) paint(shown);
    buttons();
  };
  watching.set(id, live.subscribe({
    query: `subscription Watch($id: ID!, $after: Int) { generationEvents(generationId: $id, after: $after) { __typename sequence
      ... on GenerationSnapshot { text reasoning } ... on GenerationDelta { channel delta: text }
      ... on GenerationFinished { generation { ...G } } } } ${ANSWER}`,
    variables: () => ({ id, after: answers.get(id)?.sequence || undefined }),
    next({ generationEvents: event }) {
      const known = answers.get(id);
      if (!known) return;
      if (event.__typename === 'GenerationSnapshot') Object.assign(known, { text: event.text, reasoning: event.reasoning, sequence: event.sequence });
      if (event.__typename === 'GenerationDelta' && event.sequence > known.sequence) {
        const part = event.channel === 'REASONING' ? 'reasoning' : 'text';
        known[part] = (known[part] ?? '') + event.delta;
        known.sequence = event.sequence;
      }
      if (event.generation) absorb(event.generation);
      repaint();
    },
    ended(errors) {
      watching.delete(id);
      if (errors) complain($('composer'), errors[0].message);
      repaint();
    },
  }));
  buttons();
}

// ── writing ─────────────────────────────────────────────────────────────────
function buttons() {
  const nothing = !$('text').value.trim();
  $('stop').hidden = watching.size === 0;
  $('send').disabled = nothing;
  $('send').hidden = nothing && watching.size > 0;
}
$('text').oninput = () => {
  $('text').style.height = 'auto';
  $('text').style.height = `${$('text').scrollHeight}px`;
  buttons();
};
$('text').onkeydown = (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
};
$('composer').onsubmit = (event) => {
  event.preventDefault();
  const content = $('text').value.trim();
  if (!content) return;
  $('text').value = '';
  $('text').oninput();
  say(content);
};
const say = (content) => send({ chatId: open, content, idempotencyKey: key() });
/** Sends once, however often it is tried: a repeat with the same key is answered with the first result. */
async function send(input) {
  complain($('composer'));
  put({ role: 'USER', content: input.content, sequence: Infinity, version: 0, idempotencyKey: input.idempotencyKey });
  $('scroll').scrollTop = $('scroll').scrollHeight;
  const shown = messages.get(input.idempotencyKey);
  shown.note.hidden = true;
  const refuse = (message, ...more) => {
    if (!messages.has(input.idempotencyKey)) return; // it arrived after all, as an event
    shown.note.className = 'note bad';
    shown.note.replaceChildren(`${message} `, link('Try again', () => send(input)), ...more);
    shown.note.hidden = false;
  };
  try {
    const { sendMessage } = await ask(
      `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) {
        message { ...M } generation { message { ...M } } errors { code message } } } ${MESSAGE}`,
      { input },
    );
    if (sendMessage.message && input.chatId === open) put(sendMessage.message);
    if (sendMessage.generation && input.chatId === open) put(sendMessage.generation.message);
    const [error] = sendMessage.errors;
    if (error) refuse(error.message, ...(/KEY/.test(error.code) ? [' · ', link('Add a key', () => $('open-settings').click())] : []));
  } catch (error) {
    refuse(error instanceof TypeError ? 'Not sent: the server cannot be reached.' : error.message);
  }
}
$('stop').onclick = () => attempt($('composer'), async () => {
  for (const generationId of watching.keys()) {
    const { stopGeneration } = await ask('mutation Stop($input: StopGenerationInput!) { stopGeneration(input: $input) { errors { message } } }', { input: { generationId } });
    if (stopGeneration.errors[0]) throw new Error(stopGeneration.errors[0].message);
  }
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
