// The door: making an account, and signing in.
import { ask, onSignedOut, tokens } from './live.js';
import { $, attempt, complain, make } from './page.js';

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

/** Calls `enter` for who comes in, and `leave` when the session is over. */
export function door(enter, leave) {
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
    leave();
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
}
