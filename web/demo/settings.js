// The settings: which model new chats get, and the person's keys.
import { ask } from './live.js';
import { $, attempt, make } from './page.js';

const NAMES = { OPENAI: 'OpenAI', OPENAI_COMPATIBLE: 'OpenAI-compatible' };
const MODEL = 'parlor.model';

/** The model that new chats get, unless the server chooses. */
export const model = () => localStorage.getItem(MODEL) || undefined;

let changed = () => {};
/** Opens the dialog; `then` hears how many keys there are. */
export function settings(then) {
  changed = then;
  $('model').value = model() ?? '';
  $('settings').showModal();
  attempt($('key'), async () => {
    await keys();
    const { __type: type } = await ask('{ __type(name: "Provider") { enumValues { name } } }');
    const offered = (type?.enumValues ?? []).map(({ name }) => name).filter((name) => name !== 'SCRIPTED');
    const options = (offered.length ? offered : Object.keys(NAMES)).map((name) => Object.assign(make('option', '', NAMES[name] ?? name), { value: name }));
    $('key').provider.replaceChildren(...options);
    needs();
  });
}

/** An endpoint that is no well-known provider has to be named. */
function needs() {
  const form = $('key');
  form.baseUrl.required = form.provider.value === 'OPENAI_COMPATIBLE';
  form.baseUrl.placeholder = form.baseUrl.required ? 'such as https://openrouter.ai/api/v1' : "the provider's own";
}

async function keys() {
  const { viewer } = await ask('{ viewer { apiKeys { id provider hint label baseUrl } } }');
  const held = viewer?.apiKeys ?? [];
  changed(held.length);
  $('keys').replaceChildren(...held.map((key) => {
    const item = make('li');
    const words = make('span');
    words.append(make('b', '', key.label ?? NAMES[key.provider] ?? key.provider), ' ', make('code', '', key.hint || 'no key'));
    if (key.baseUrl) words.append(make('small', '', key.baseUrl));
    const remove = Object.assign(make('button', 'quiet', 'Delete'), { type: 'button' });
    remove.onclick = () => attempt($('key'), async () => {
      const { deleteApiKey } = await ask('mutation Drop($input: DeleteApiKeyInput!) { deleteApiKey(input: $input) { errors { message } } }', { input: { apiKeyId: key.id } });
      if (deleteApiKey.errors[0]) throw new Error(deleteApiKey.errors[0].message);
      await keys();
    });
    item.append(words, remove);
    return item;
  }));
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
    const input = { provider: form.provider.value, secret: form.secret.value, baseUrl: form.baseUrl.value || undefined, verify: form.verify.checked };
    const { setApiKey } = await ask('mutation Key($input: SetApiKeyInput!) { setApiKey(input: $input) { apiKey { id } errors { message } } }', { input });
    if (setApiKey.errors[0]) throw new Error(setApiKey.errors[0].message);
    form.secret.value = '';
    await keys();
  }).finally(() => Object.assign(save, { disabled: false, textContent: 'Save key' }));
};
