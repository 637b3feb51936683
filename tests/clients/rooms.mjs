// A room as clients hold it: read once, and from then on kept by `events` alone.
import { randomUUID } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { pipe, subscribe } from 'wonka';
import { resumeLink } from './resume-apollo.mjs';
import { resumeExchanges } from './resume-urql.mjs';
import { request } from './story.mjs';

const MESSAGE = `fragment M on Message { id sequence version active role content author { displayName } }`;
const SNAPSHOT = `query ($id: ID!) { viewer { syncCursor } chat(id: $id) { id messages(last: 100) { nodes { ...M } } } } ${MESSAGE}`;
const EVENTS = `subscription Follow($after: String) { events(after: $after) { __typename cursor
  ... on MessageCreated { message { chat { id } ...M } } ... on MessageUpdated { message { chat { id } ...M } }
  ... on ChatRemoved { chatId } } } ${MESSAGE}`;

/** What one person sees of a room, read anew. */
export async function fresh(base, token, id) {
  const { chat } = await request(base, SNAPSHOT, { id }, token);
  return chat?.messages.nodes.map(({ role, author, content }) => [role, author?.displayName ?? null, content]) ?? null;
}

/** Follows a room: `shown()` is what the client has of it, `close()` ends it. */
export async function followRoom(way, base, token, id) {
  const { viewer, chat } = await request(base, SNAPSHOT, { id }, token);
  const held = new Map(chat.messages.nodes.map((message) => [message.id, message]));
  const trouble = [];
  let gone = false;
  const apply = (event) => {
    if (event.__typename === 'ResyncRequired') trouble.push(event);
    if (event.__typename === 'ChatRemoved' && event.chatId === id) gone = true;
    const { message } = event;
    if (message?.chat.id === id && !(held.get(message.id)?.version > message.version)) held.set(message.id, message);
  };
  const close = ways[way](base, token, viewer.syncCursor, apply, (error) => trouble.push(error));
  const shown = () => {
    if (gone) return null;
    const there = [...held.values()].filter(({ active }) => active).sort((one, other) => one.sequence - other.sequence);
    return there.map(({ role, author, content }) => [role, author?.displayName ?? null, content]);
  };
  return { shown, trouble, close };
}

const ways = {
  urql(base, token, after, next, failed) {
    const client = new Client({
      url: `${base}/graphql`, fetchSubscriptions: true, preferGetMethod: false,
      fetchOptions: () => ({ headers: { authorization: `Bearer ${token}` } }),
      exchanges: [...resumeExchanges, fetchExchange],
    });
    const { unsubscribe } = pipe(client.subscription(EVENTS, { after }), subscribe(({ data, error }) => (error ? failed(error) : next(data.events))));
    return unsubscribe;
  },
  apollo(base, token, after, next, failed) {
    const http = new HttpLink({ uri: `${base}/graphql`, headers: { authorization: `Bearer ${token}` } });
    const client = new ApolloClient({ link: ApolloLink.from([resumeLink, http]), cache: new InMemoryCache() });
    const following = client.subscribe({ query: gql(EVENTS), variables: { after }, fetchPolicy: 'no-cache' })
      .subscribe({ next: ({ data, error }) => (error ? failed(error) : next(data.events)), error: failed });
    return () => { following.unsubscribe(); client.stop(); };
  },
};

/** Sends until it has arrived, under one key: once, whatever the network does. */
export async function sendSurely(base, token, chatId, content, pause) {
  const input = { chatId, content, idempotencyKey: randomUUID() };
  for (;;) {
    try {
      return await request(base, 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } errors { code message } } }', { input }, token);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      await pause(200);
    }
  }
}
