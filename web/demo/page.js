// The page's small change: elements, and forms that say what went wrong.

export const $ = (id) => document.getElementById(id);

export function make(tag, className, text) {
  return Object.assign(document.createElement(tag), { className, textContent: text ?? '' });
}

/** A button that reads as a link. */
export function link(text, onclick) {
  return Object.assign(make('button', 'link', text), { type: 'button', onclick });
}

export const complain = (form, text) => Object.assign(form.querySelector(':scope > .error'), { textContent: text ?? '', hidden: !text });

/** Shows at its form what went wrong. */
export async function attempt(form, action) {
  complain(form);
  try {
    await action();
  } catch (error) {
    complain(form, error instanceof TypeError ? 'The server cannot be reached. Please try again.' : error.message);
  }
}
