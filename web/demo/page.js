// The page's small change: elements, words, and forms that say what went wrong.

export const $ = (id) => document.getElementById(id);

export function make(tag, className, text) {
  return Object.assign(document.createElement(tag), { className: className ?? '', textContent: text ?? '' });
}

export function button(text, className, onclick) {
  return Object.assign(make('button', className, text), { type: 'button', onclick });
}

/** A button that reads as a link. */
export const link = (text, onclick) => button(text, 'link', onclick);

/** Makes the children anew only when what they show is another, so that focus and selection stay. */
export function fill(element, shows, children) {
  const told = JSON.stringify(shows);
  if (element.shows === told) return;
  element.shows = told;
  element.replaceChildren(...children().filter(Boolean));
}

/** A key that makes a repeat count once. */
export const key = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

export function money(usd) {
  const amount = Number(usd);
  return `$${amount === 0 || amount >= 0.01 ? amount.toFixed(2) : amount.toPrecision(2)}`;
}

export const complain = (form, text) => Object.assign(form.querySelector(':scope > .error'), { textContent: text ?? '', hidden: !text });

/** What went wrong, for people. */
export const reason = (error) => (error instanceof TypeError ? 'The server cannot be reached. Please try again.' : error.message);

/** Shows at its form what went wrong. */
export async function attempt(form, action) {
  complain(form);
  try {
    await action();
  } catch (error) {
    complain(form, reason(error));
  }
}
