// The calls of tools in an answer: a chip each, and a question where a person has to approve one.
import { change } from './asking.js';
import { button, fill, make, reason } from './page.js';

const RANKS = { PENDING_APPROVAL: 0, QUEUED: 1, RUNNING: 2 };
const WORDS = {
  PENDING_APPROVAL: 'waits for you', QUEUED: 'waits its turn', RUNNING: 'running', COMPLETED: 'done',
  FAILED: 'failed', DENIED: 'declined', CANCELLED: 'cancelled',
};
const rank = (call) => RANKS[call.status] ?? 3;

/** Calls as they are now, from two places that may be of different age: a call never goes back. */
export function merged(before = [], now = []) {
  const calls = new Map(before.map((call) => [call.id, call]));
  for (const call of now) if (!calls.has(call.id) || rank(calls.get(call.id)) <= rank(call)) calls.set(call.id, call);
  return [...calls.values()];
}

export const waits = (call) => call.status === 'PENDING_APPROVAL';

/** Shows the calls in `holder`. What is open stays open, and who decided keeps the focus. */
export function showCalls(holder, calls) {
  holder.hidden = !calls.length;
  holder.calls ??= new Map();
  for (const call of calls) {
    const shown = holder.calls.get(call.id);
    if (shown && shown.asks === waits(call)) {
      if (!shown.asks) describe(shown, call);
      continue;
    }
    const made = waits(call) ? question(call) : describe(make('details', 'call'), call);
    made.asks = waits(call);
    const focused = shown?.contains(document.activeElement);
    if (shown) shown.replaceWith(made);
    else holder.append(made);
    holder.calls.set(call.id, made);
    if (focused) made.querySelector('summary')?.focus();
  }
}

/** JSON as people read it; what the model got wrong stays as it is. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function describe(details, call) {
  if (!details.parts) {
    const summary = make('summary');
    const parts = (details.parts = { state: make('i', 'state'), answer: make('div') });
    summary.append(make('b', '', call.name), ...(call.server ? [make('span', '', call.server)] : []), parts.state);
    details.ontoggle = () => details.open && details.scrollIntoView({ block: 'nearest' });
    details.append(summary, make('h4', '', 'Called with'), make('pre', '', pretty(call.arguments)), parts.answer);
  }
  details.dataset.status = call.status;
  details.parts.state.textContent = WORDS[call.status];
  fill(details.parts.answer, call.result, () => (call.result === null ? [] : [make('h4', '', 'Answer'), make('pre', '', pretty(call.result))]));
  return details;
}

function question(call) {
  const box = make('section', 'approval');
  const asked = make('p');
  asked.append('The model wants to use ', make('b', '', call.name), call.server ? ` of ${call.server}` : '', ':');
  box.setAttribute('aria-label', asked.textContent);
  const error = Object.assign(make('p', 'error'), { hidden: true });
  error.setAttribute('role', 'alert');
  const decide = (name, more) => async () => {
    // Not disabled: that would take the focus away.
    if (box.ariaBusy === 'true') return;
    box.ariaBusy = 'true';
    error.hidden = true;
    try {
      await change(name, { toolCallId: call.id, ...more });
    } catch (refused) {
      // Decided elsewhere: how it was comes as an event.
      if (refused.code === 'INVALID_STATE') return;
      box.ariaBusy = 'false';
      Object.assign(error, { textContent: reason(refused), hidden: false });
    }
  };
  const choices = make('div', 'choices');
  choices.append(
    button('Approve', 'primary', decide('approveToolCall')),
    Object.assign(button('Always', '', decide('approveToolCall', { remember: 'ALWAYS' })), { title: 'Approve, and do not ask about this tool again' }),
    button('Decline', 'quiet', decide('denyToolCall')),
  );
  box.append(asked, make('pre', '', pretty(call.arguments)), error, choices);
  return box;
}
