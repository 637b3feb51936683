// How the open chat is answered: which model, and which tools it may use.
import { change } from './asking.js';
import { ask } from './live.js';
import { $, attempt, make } from './page.js';

const BUILTIN = { SEARCH_CHATS: 'Search my other chats', SAVE_MEMORY: 'Remember things about me' };
let chat = null;

/** Opens the dialog for a chat. */
export function settle(which) {
  chat = which;
  const form = $('answering');
  form.model.value = chat.model ?? '';
  $('chat-dialog').showModal();
  attempt(form, async () => {
    const { viewer, serverInfo } = await ask(`{ viewer { toolServers { id name enabled tools { name } } }
      serverInfo { providers { provider title models(first: 100) { nodes { name } } } } }`);
    const providers = serverInfo.providers.map(({ provider, title }) => Object.assign(make('option', '', title), { value: provider }));
    form.provider.replaceChildren(Object.assign(make('option', '', 'whichever there is a key for'), { value: '' }), ...providers);
    form.provider.value = chat.provider ?? '';
    const offer = () => {
      const some = serverInfo.providers.filter(({ provider }) => provider === (form.provider.value || provider));
      const names = some.flatMap(({ models }) => models.nodes.map(({ name }) => name));
      $('models').replaceChildren(...names.map((value) => Object.assign(make('option'), { value })));
    };
    (form.provider.onchange = offer)();
    const builtin = Object.entries(BUILTIN).map(([name, title]) => choice('builtin', name, title, "Parlor's own", chat.builtinTools.includes(name)));
    const servers = viewer.toolServers.filter(({ enabled }) => enabled).map(({ id, name, tools }) =>
      choice('server', id, name, tools.map((tool) => tool.name).join(', '), chat.toolServers.some((used) => used.id === id)));
    $('tools').replaceChildren(...builtin, ...servers);
  });
}
function choice(name, value, title, hint, checked) {
  const label = make('label', 'row');
  const words = make('span', '', title);
  words.append(make('small', '', hint));
  label.append(Object.assign(make('input'), { type: 'checkbox', name, value, checked }), words);
  return label;
}

$('close-chat').onclick = () => $('chat-dialog').close();
$('answering').onsubmit = (event) => {
  event.preventDefault();
  const form = event.target;
  attempt(form, async () => {
    const given = new FormData(form);
    // What it is then comes as an event, here and in every other tab.
    await change('updateChat', {
      chatId: chat.id, provider: given.get('provider') || null, model: given.get('model').trim() || null,
      builtinTools: given.getAll('builtin'), toolServerIds: given.getAll('server'),
    });
    $('chat-dialog').close();
  });
};
