// Writing a message, sending it once, and stopping what answers it.
import { MESSAGE, change } from './asking.js';
import { typed, types } from './here.js';
import { link, $, attempt, complain, key } from './page.js';
import { pending, put, thread, toEnd } from './thread.js';

export function buttons() {
  const nothing = !$('text').value.trim();
  const running = thread.running.length > 0;
  $('stop').hidden = !running;
  $('send').disabled = nothing;
  $('send').hidden = nothing && running;
}
const fit = () => {
  $('text').style.height = 'auto';
  $('text').style.height = `${$('text').scrollHeight}px`;
  buttons();
};
$('text').oninput = () => {
  fit();
  types(Boolean($('text').value.trim()));
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
  typed();
  fit();
  say(content);
};
export const say = (content) => send({ chatId: thread.chat, content, idempotencyKey: key() });

/** Sends once, however often it is tried: a repeat with the same key is answered with the first result. */
async function send(input) {
  complain($('composer'));
  put({ role: 'USER', author: { id: thread.me }, content: input.content, sequence: Infinity, version: 0, idempotencyKey: input.idempotencyKey });
  toEnd();
  const { branch } = thread;
  const shown = pending(input.idempotencyKey);
  shown.note.hidden = true;
  const refuse = (message, ...more) => {
    if (!pending(input.idempotencyKey)) return; // it arrived after all, as an event
    shown.note.className = 'note bad';
    shown.note.replaceChildren(`${message} `, link('Try again', () => send(input)), ...more);
    shown.note.hidden = false;
  };
  try {
    const { message, generation } = await change('sendMessage', input, 'message { ...M } generation { message { ...M } }', MESSAGE);
    // Who looks at another branch by now has the event of that, and sees what belongs there.
    if (thread.branch === branch) [message, generation?.message].filter(Boolean).forEach(put);
  } catch (error) {
    if (error instanceof TypeError) refuse('Not sent: the server cannot be reached.');
    else refuse(error.message, ...(/KEY/.test(error.code) ? [' · ', link('Add a key', () => $('open-settings').click())] : []));
  }
}
$('stop').onclick = () => attempt($('composer'), async () => {
  for (const generationId of thread.running) await change('stopGeneration', { generationId });
});
