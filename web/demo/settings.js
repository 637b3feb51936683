// The settings: which model new chats get, the person's keys and how they fare, and what the month has cost.
import { WHY, change } from './asking.js';
import { ask } from './live.js';
import { $, attempt, button, make, money } from './page.js';

const MODEL = 'parlor.model';
/** The model that new chats get, unless the server chooses. */
export const model = () => localStorage.getItem(MODEL) || undefined;

let changed = () => {};
let titles = {};
/** Opens the dialog; `then` hears how many keys there are. */
export function settings(then) {
  changed = then;
  $('model').value = model() ?? '';
  $('settings').showModal();
  attempt($('key'), async () => {
    const today = new Date();
    const { viewer, serverInfo } = await ask(
      `query Settings($from: DateTime!) { serverInfo { providers { provider title } }
        viewer { usage(from: $from, groupBy: MONTH) { total { costUsd totalTokens unpricedAttempts } } } }`,
      { from: new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth())).toISOString() },
    );
    titles = Object.fromEntries(serverInfo.providers.map(({ provider, title }) => [provider, title]));
    const offered = Object.entries(titles).filter(([name]) => name !== 'SCRIPTED');
    $('key').provider.replaceChildren(...offered.map(([value, title]) => Object.assign(make('option', '', title), { value })));
    needs();
    month(viewer.usage.total);
    await keys();
  });
}
function month({ costUsd, totalTokens, unpricedAttempts }) {
  const cost = costUsd === null ? 'nothing that is known' : money(costUsd);
  const more = unpricedAttempts ? `, and ${unpricedAttempts} answers whose price nobody knows` : '';
  $('month').textContent = `This month so far: ${cost} for ${totalTokens.toLocaleString('en')} tokens${more}.`;
}

/** What has no address of its own has to be named. */
function needs() {
  const form = $('key');
  const local = { OLLAMA: 'such as http://127.0.0.1:11434', OPENAI_COMPATIBLE: 'such as https://llm.example.com/v1' }[form.provider.value];
  form.baseUrl.required = Boolean(local);
  form.baseUrl.placeholder = local ?? "the provider's own";
  form.secret.placeholder = local ? 'where one is needed' : '';
}

/** A key fares otherwise: shows how, when somebody looks. */
export function refreshKeys() {
  if ($('settings').open) attempt($('key'), keys);
}
async function keys() {
  const { viewer } = await ask('{ viewer { apiKeys { id provider hint label baseUrl health { accepted lastErrorCode throttledUntil } } } }');
  const held = viewer?.apiKeys ?? [];
  changed(held.length);
  $('keys').replaceChildren(...held.map((key) => {
    const item = make('li');
    const words = make('span');
    words.append(make('b', '', key.label ?? titles[key.provider]), ' ', make('code', '', key.hint || 'no key'), health(key.health));
    if (key.baseUrl) words.append(make('small', '', key.baseUrl));
    const remove = button('Delete', 'quiet', () => attempt($('key'), async () => {
      await change('deleteApiKey', { apiKeyId: key.id });
      await keys();
    }));
    remove.ariaLabel = `Delete the key for ${titles[key.provider]}`;
    item.append(words, remove);
    return item;
  }));
}
function health({ accepted, lastErrorCode, throttledUntil }) {
  const until = throttledUntil && new Date(throttledUntil);
  if (/^(KEY|QUOTA)_/.test(lastErrorCode)) return make('small', 'bad', WHY[lastErrorCode]);
  if (until > new Date()) return make('small', 'slow', `The provider asks to wait until ${until.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })}`);
  if (lastErrorCode) return make('small', 'bad', WHY[lastErrorCode] ?? 'It did not work last');
  return make('small', accepted ? 'good' : '', accepted ? 'Works' : 'Not tried yet');
}

$('close-settings').onclick = () => $('settings').close();
$('model').onchange = () => localStorage.setItem(MODEL, $('model').value.trim());
$('key').provider.onchange = needs;
$('key').onsubmit = (event) => {
  event.preventDefault();
  const form = event.target;
  const save = $('save-key');
  save.disabled = true;
  save.textContent = form.verify.checked ? 'Trying it…' : 'Saving…';
  attempt(form, async () => {
    await change('setApiKey', { provider: form.provider.value, secret: form.secret.value, baseUrl: form.baseUrl.value || undefined, verify: form.verify.checked });
    form.secret.value = '';
    await keys();
  }).finally(() => Object.assign(save, { disabled: false, textContent: 'Save key' }));
};
