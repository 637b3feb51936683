// How people take what was said: a click answers it, another one takes that back.
import { button, make } from './page.js';

const OFFERED = ['👍', '❤️', '😄'];

function press(emoji, count, own, react) {
  const words = `${own ? 'Take back' : 'React with'} ${emoji}`;
  const made = button(count ? `${emoji} ${count}` : emoji, 'quiet', () => react(own ? 'removeReaction' : 'addReaction', emoji));
  made.dataset.act = `react ${emoji}`;
  return Object.assign(made, { title: words, ariaLabel: count ? `${words}, ${count} so far` : words, ariaPressed: String(Boolean(own)) });
}

/** The reactions that there are; `react(name, emoji)` asks for a change. */
export function given({ reactions = [] }, react) {
  if (!reactions.length) return null;
  const all = make('span', 'reactions');
  all.append(...reactions.map(({ emoji, count, viewerReacted }) => press(emoji, count, viewerReacted, react)));
  return all;
}

/** Those that are on offer besides. */
export const offered = ({ reactions = [] }, react) => OFFERED
  .filter((emoji) => !reactions.some((group) => group.emoji === emoji))
  .map((emoji) => press(emoji, 0, false, react));
