// How one message looks: its text, what became of it, and what can be done with it.
import { WHY, change } from './asking.js';
import { $, button, complain, fill, key, link, make, money, reason } from './page.js';
import { render } from './prose.js';
import { given, offered } from './reactions.js';
import { showCalls, waits } from './tools.js';

const SPEAKERS = { USER: 'You', ASSISTANT: 'Assistant', SYSTEM: 'What happened' };
export const DONE = new Set(['COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED']);

/** The button that somebody has pressed and that makes room for another: `data-act`. */
export const pressed = { act: null };

/** What helps against a failure, by `GenerationError.action`; filled by who can open it. */
export const remedies = {};

export function blank() {
  const shown = {
    root: make('article'), author: make('div', 'author'), reasoning: make('details', 'reasoning'), tools: make('div', 'tools'),
    body: make('div', 'body'), note: make('p', 'note'), row: make('div', 'row'), offer: make('div', 'offer'),
  };
  shown.root.append(shown.author, shown.reasoning, shown.tools, shown.body, shown.note, shown.row, shown.offer);
  for (const part of ['author', 'reasoning', 'tools', 'note', 'row', 'offer']) shown[part].hidden = true;
  shown.reasoning.append(make('summary', '', 'Thoughts'), make('div'));
  shown.root.shown = shown;
  return shown;
}

/** Shows the message as it is now; `answer` is what is known of its generation, `me` the id of who reads it. */
export function paint(shown, answer, me) {
  const { data, root, body, note, row } = shown;
  const running = answer && !DONE.has(answer.status);
  const text = answer ? answer.text || data.content : data.content;
  const flags = [running && 'running', answer?.toolCalls?.some(waits) && 'waiting', !data.id && 'pending'];
  const theirs = data.role === 'USER' && data.author?.id !== me;
  const named = theirs || (shown.people && data.role === 'ASSISTANT');
  root.className = ['message', theirs ? 'other' : data.role.toLowerCase(), ...flags].filter(Boolean).join(' ');
  root.setAttribute('aria-label', theirs ? data.author?.displayName ?? 'Somebody' : SPEAKERS[data.role] ?? '');
  shown.author.hidden = !named || root.previousSibling?.shown.data.author?.id === data.author?.id;
  shown.author.textContent = data.author?.displayName ?? 'Somebody';
  root.setAttribute('aria-busy', Boolean(running));
  if (data.role === 'ASSISTANT') render(body, text);
  else body.textContent = text;
  if (answer) {
    think(shown, answer, text);
    showCalls(shown.tools, answer.toolCalls ?? []);
  }
  if (!data.id) return;
  const last = !root.nextSibling;
  fill(note, [answer?.id, answer?.status, answer?.passing, shown.trouble?.message, last, shown.busy], () => says(shown, answer, last));
  note.className = shown.trouble || answer?.status === 'FAILED' ? 'note bad' : 'note';
  note.hidden = !note.childNodes.length;
  const react = (name, emoji) => act(shown, name, { messageId: data.id, emoji });
  const reacts = shown.people && !running && data.role !== 'SYSTEM';
  fill(row, [answer?.id, answer?.status, answer?.usage, data.siblings, data.reactions, shown.busy], () => [
    ...(shown.people && !answer ? [] : actions(shown, answer)), reacts && given(data, react),
  ]);
  fill(shown.offer, [reacts, data.reactions], () => (reacts ? offered(data, react) : []));
  shown.offer.hidden = !shown.offer.childNodes.length;
  body.hidden = Boolean(shown.form);
  row.hidden = body.hidden || !row.childNodes.length;
}

/** Thoughts are open until the answer begins; then they are the reader's. */
function think({ reasoning }, answer, text) {
  if (!answer.reasoning) return;
  if (reasoning.hidden || (text && reasoning.follows)) reasoning.open = reasoning.follows = !text;
  reasoning.hidden = false;
  reasoning.lastChild.textContent = answer.reasoning;
}

function says(shown, answer, last) {
  const { trouble } = shown;
  if (trouble) return [`${trouble.message} `, link('Try again', trouble.retry), trouble.remedy && ' · ', trouble.remedy];
  if (!answer) return [];
  if (!DONE.has(answer.status)) return answer.passing ? [answer.passing] : [];
  if (answer.status === 'FAILED') {
    const remedy = remedyFor(answer.error, shown);
    return [`${answer.error?.message ?? 'The answer failed.'} `, remedy, remedy && ' · ', link('Ask again', () => again(shown))];
  }
  const ending = answer.status === 'COMPLETED'
    ? answer.finishReason === 'LENGTH' && 'The answer has reached its longest length.'
    : answer.status === 'STOPPED' ? 'Stopped.' : 'The answer was interrupted.';
  if (!ending) return [];
  const going = { generationId: answer.id, idempotencyKey: key() };
  return [`${ending} `, last && !shown.busy && link('Go on', () => act(shown, 'continueGeneration', going))];
}

function remedyFor(error, shown) {
  const [words, open] = remedies[error?.action] ?? [];
  return words && link(/KEY_MISSING/.test(error.code) ? 'Add a key' : words, () => open(shown));
}

function actions(shown, answer) {
  const { data } = shown;
  if (answer && !DONE.has(answer.status)) return [versions(shown)];
  const able = (made) => Object.assign(made, { disabled: Boolean(shown.busy) });
  if (!answer) return [versions(shown), data.role === 'USER' && able(named('edit', button('Edit', 'quiet', () => edit(shown))))];
  return [
    versions(shown),
    answer.status !== 'FAILED' && able(named('again', button('Again', 'quiet', () => again(shown)))),
    (answer.text || data.content) && named('copy', button('Copy', 'quiet', ({ target }) => copy(target, answer.text || data.content))),
    facts(answer),
  ];
}
const named = (act, made) => { made.dataset.act = act; return made; };

async function copy(target, text) {
  const before = target.textContent;
  try {
    await navigator.clipboard.writeText(text);
    target.textContent = 'Copied';
  } catch {
    target.textContent = 'Not allowed';
  }
  setTimeout(() => { target.textContent = before; }, 1500);
}

/** ‹ 2/3 ›, where there are other versions. */
function versions(shown) {
  const { data } = shown;
  if (!data.siblings?.length) return null;
  const all = [...data.siblings, data].sort((a, b) => a.sequence - b.sequence);
  const at = all.findIndex(({ id }) => id === data.id);
  const step = (name, sign, words, to) => Object.assign(
    named(name, button(sign, 'quiet', () => act(shown, 'selectBranch', { messageId: to.id }))),
    { disabled: !to || Boolean(shown.busy), title: words, ariaLabel: words },
  );
  const group = make('span', 'versions');
  group.setAttribute('role', 'group');
  group.setAttribute('aria-label', 'Versions');
  const place = make('span', '', `${at + 1}/${all.length}`);
  group.append(step('previous', '‹', 'Previous version', all[at - 1]), place, step('next', '›', 'Next version', all[at + 1]));
  return group;
}

/** Who answered, and what it took. */
function facts({ model, usage: used, tokensPerSecond }) {
  const usage = used?.totalTokens ? used : null;
  const about = usage?.costState === 'ESTIMATED' ? '≈ ' : '';
  const cost = usage?.costUsd && (Number(usage.costUsd) ? about + money(usage.costUsd) : 'free');
  const words = [model.replace(/^scripted:.*/, 'scripted'), cost, usage && `${about && !cost ? about : ''}${usage.totalTokens.toLocaleString('en')} tokens`];
  const more = usage && [`${usage.inputTokens.toLocaleString('en')} tokens in, ${usage.outputTokens.toLocaleString('en')} out`, tokensPerSecond && `${Math.round(tokensPerSecond)} a second`, about && 'counted here, not told by the provider'];
  return Object.assign(make('span', 'facts', words.filter(Boolean).join(' · ')), { title: [model, ...(more || [])].filter(Boolean).join('\n') });
}

/** A change at one message. What comes of it comes as an event; what was refused stands there, and a repeat counts once. */
async function act(shown, name, input) {
  pressed.act = document.activeElement?.dataset.act;
  Object.assign(shown, { busy: true, trouble: null });
  shown.repaint();
  try {
    await change(name, input);
  } catch (error) {
    const remedy = /KEY/.test(error.code) && remedies.CHECK_KEY;
    const message = error instanceof TypeError ? 'The server cannot be reached.' : error.message;
    shown.trouble = { message, retry: () => act(shown, name, input), remedy: remedy && link('Add a key', () => remedy[1](shown)) };
  }
  shown.busy = false;
  shown.repaint();
  if (shown.trouble) shown.note.querySelector('button').focus();
}
export const again = (shown) => act(shown, 'regenerateMessage', { messageId: shown.data.id, idempotencyKey: key() });

/** The message becomes a form; sent, it is another version with an answer of its own. */
export function edit(shown) {
  if (shown.form) return shown.form.elements[0].focus();
  const form = (shown.form = make('form', 'edit'));
  const text = Object.assign(make('textarea'), { value: shown.data.content, maxLength: $('text').maxLength, rows: 1, ariaLabel: 'The question in other words' });
  const error = Object.assign(make('p', 'error'), { hidden: true });
  error.setAttribute('role', 'alert');
  const buttons = make('div', 'choices');
  const send = Object.assign(make('button', 'primary', 'Send'), { type: 'submit' });
  const close = () => {
    form.remove();
    shown.form = null;
    shown.repaint();
    shown.row.querySelector('[data-act=edit]')?.focus();
  };
  buttons.append(button('Cancel', 'quiet', close), send);
  form.append(text, error, buttons);
  const fit = () => { text.style.height = 'auto'; text.style.height = `${text.scrollHeight}px`; };
  text.oninput = fit;
  form.onkeydown = (event) => {
    if (event.key === 'Escape') close();
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.target !== text) return;
    event.preventDefault();
    form.requestSubmit();
  };
  let tried = null;
  form.onsubmit = async (event) => {
    event.preventDefault();
    const content = text.value.trim();
    if (!content || content === shown.data.content) return close();
    if (tried?.content !== content) tried = { messageId: shown.data.id, content, idempotencyKey: key() };
    send.disabled = true;
    pressed.act = 'edit';
    complain(form);
    await change('editMessage', tried).catch((refused) => complain(form, reason(refused)));
    send.disabled = false;
  };
  shown.root.insertBefore(form, shown.note);
  shown.repaint();
  fit();
  text.focus();
}

/** What is about to happen, while nothing is said yet. */
export function passing(event) {
  const why = WHY[event.code] ?? 'That did not work';
  if (event.__typename === 'GenerationFellBack') return `${why}; ${event.model} takes over…`;
  const seconds = event.afterMs / 1000;
  return `${why}; trying again ${seconds < 1 ? 'at once' : `in ${Math.round(seconds)} s`}…`;
}
