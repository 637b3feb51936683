// The way to the server: tokens, requests, and one socket that comes back.

const STORE = 'parlor.tokens';

/** What the server refused, in its words. */
export class Refusal extends Error {
  constructor({ message, extensions }) {
    super(message);
    this.code = extensions?.code;
  }
}

export const tokens = {
  get: () => JSON.parse(localStorage.getItem(STORE)),
  set: (value) => localStorage.setItem(STORE, JSON.stringify(value)),
  clear: () => localStorage.removeItem(STORE),
};
// Signed out in one tab is signed out in all.
addEventListener('storage', ({ key, newValue }) => { if (key === STORE && !newValue) location.reload(); });

async function post(query, variables, accessToken) {
  const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  if (accessToken) headers.authorization = `Bearer ${accessToken}`;
  const response = await fetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  if (response.status >= 500) throw new TypeError(`The server answered ${response.status}.`);
  const { data, errors } = await response.json();
  if (errors) throw new Refusal(errors[0]);
  return data;
}

/** A usable access token. A refresh token counts once, so the tabs of a browser take turns. */
async function accessToken(refused) {
  const usable = (held) => held && held.accessToken !== refused && Date.parse(held.expiresAt) - Date.now() > 10_000;
  if (!tokens.get() || usable(tokens.get())) return tokens.get()?.accessToken;
  const refresh = async () => {
    const held = tokens.get();
    if (!held || usable(held)) return held?.accessToken;
    const { refreshSession } = await post(
      'mutation Refresh($input: RefreshSessionInput!) { refreshSession(input: $input) { tokens { accessToken refreshToken expiresAt } errors { message } } }',
      { input: { refreshToken: held.refreshToken } },
    );
    if (refreshSession.tokens) tokens.set(refreshSession.tokens);
    else signedOut(refreshSession.errors[0]?.message);
    return tokens.get()?.accessToken;
  };
  return navigator.locks ? navigator.locks.request(STORE, refresh) : refresh();
}

let signedOut = () => {};
/** Called with the server's words once the session cannot be refreshed. */
export function onSignedOut(then) {
  signedOut = (reason) => {
    tokens.clear();
    live.close();
    then(reason);
  };
}

/** One request. An expired token reads as anonymous (`viewer` null) or refused: refresh and ask again. */
export async function ask(query, variables) {
  const token = await accessToken();
  const stale = (answer) => token && answer.viewer === null;
  try {
    const answer = await post(query, variables, token);
    if (!stale(answer)) return answer;
  } catch (error) {
    if (!token || error.code !== 'UNAUTHENTICATED') throw error;
  }
  const answer = await post(query, variables, await accessToken(token));
  if (stale(answer)) signedOut();
  return answer;
}

/** One socket for all streams, which is opened again until `close`. On the way back each stream
 *  is asked for with what `variables()` says then, so that it goes on where it was cut. */
export const live = {
  streams: new Map(), wanted: false, socket: null, acknowledged: false, attempts: 0, timer: 0, ids: 0,
  onchange: () => {},

  open() {
    this.wanted = true;
    if (!this.socket) this.connect();
  },

  close() {
    this.wanted = false;
    this.streams.clear();
    clearTimeout(this.timer);
    this.socket?.close(1000);
  },

  /** `stream`: query, variables(), next(data), and ended(errors) once no more will come. */
  subscribe(stream) {
    const id = String(++this.ids);
    this.streams.set(id, stream);
    if (this.acknowledged) this.start(id, stream);
    return () => {
      if (this.streams.delete(id) && this.acknowledged) this.send({ id, type: 'complete' });
    };
  },

  send(message) { this.socket.send(JSON.stringify(message)); },
  start(id, { query, variables }) {
    this.send({ id, type: 'subscribe', payload: { query, variables: variables() } });
  },

  async connect(refused) {
    clearTimeout(this.timer);
    const socket = (this.socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/graphql', 'graphql-transport-ws'));
    // A network that went away silently is noticed by the answer that does not come.
    let heard = true;
    const heartbeat = setInterval(() => {
      if (!heard) return lost({ code: 4000 });
      heard = false;
      if (this.acknowledged) this.send({ type: 'ping' });
    }, 10_000);
    let sent;
    const lost = ({ code }) => {
      clearInterval(heartbeat);
      if (this.socket !== socket) return;
      socket.close();
      this.socket = null;
      this.acknowledged = false;
      if (!this.wanted) return;
      const wait = Math.min(10_000, 300 * 2 ** this.attempts++) * (0.5 + Math.random());
      this.onchange(false);
      this.timer = setTimeout(() => this.connect([4401, 4403].includes(code) ? sent : undefined), wait);
    };
    this.cut = () => lost({ code: 4000 });
    socket.onclose = lost;
    socket.onopen = async () => {
      try {
        sent = await accessToken(refused);
        if (this.socket === socket && sent) this.send({ type: 'connection_init', payload: { Authorization: `Bearer ${sent}` } });
      } catch { lost({ code: 4000 }); }
    };
    socket.onmessage = ({ data }) => {
      heard = true;
      const { type, id, payload } = JSON.parse(data);
      const stream = this.streams.get(id);
      if (type === 'ping') this.send({ type: 'pong' });
      if (type === 'connection_ack') {
        this.acknowledged = true;
        this.attempts = 0;
        this.onchange(true);
        for (const [each, waiting] of this.streams) this.start(each, waiting);
      }
      if (type === 'next' && payload.data && stream) stream.next(payload.data);
      if (type === 'error' || type === 'complete' || (type === 'next' && payload.errors)) {
        this.streams.delete(id);
        stream?.ended(type === 'complete' ? null : payload.errors ?? payload);
      }
    };
  },
};

addEventListener('offline', () => live.cut?.());
addEventListener('online', () => { if (live.wanted && !live.socket) live.connect(); });
