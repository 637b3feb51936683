// Three clients, one question: follow(base, token, generationId, onEvent) until the stream completes.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { pipe, subscribe } from 'wonka';
import WebSocket from 'ws';
import { resumeLink } from './resume-apollo.mjs';
import { subscribeAndResume } from './resume-graphql-ws.mjs';
import { resumeExchanges } from './resume-urql.mjs';
import { WATCH } from './story.mjs';

async function overGraphqlWs(base, token, generationId, onEvent) {
  const client = createClient({
    url: `${base.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ Authorization: `Bearer ${token}` }),
    retryAttempts: Infinity,
  });
  try {
    await new Promise((complete, error) => {
      const payload = { query: WATCH, variables: { generationId } };
      const next = ({ data, errors }) => (errors ? error(new Error(JSON.stringify(errors))) : onEvent(data.generationEvents));
      subscribeAndResume(client, payload, { next, error, complete });
    });
  } finally {
    await client.dispose();
  }
}

async function overUrql(base, token, generationId, onEvent) {
  const client = new Client({
    url: `${base}/graphql`,
    fetchSubscriptions: true,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: { authorization: `Bearer ${token}` } }),
    exchanges: [...resumeExchanges, fetchExchange],
  });
  await new Promise((resolve, reject) => {
    const { unsubscribe } = pipe(
      client.subscription(WATCH, { generationId }),
      subscribe(({ data, error }) => {
        if (error) return reject(error);
        onEvent(data.generationEvents);
        // The terminal event ends the answer; a cable that is cut right after it is no reason to come back.
        if (data.generationEvents.__typename === 'GenerationFinished') {
          resolve();
          // Not from within an event: urql's reader would be left with a rejection that nobody handles.
          setTimeout(unsubscribe);
        }
      }),
    );
  });
}

async function overApollo(base, token, generationId, onEvent) {
  const httpLink = new HttpLink({ uri: `${base}/graphql`, headers: { authorization: `Bearer ${token}` } });
  const client = new ApolloClient({ link: ApolloLink.from([resumeLink, httpLink]), cache: new InMemoryCache() });
  await new Promise((complete, error) => {
    client.subscribe({ query: gql(WATCH), variables: { generationId }, fetchPolicy: 'no-cache' }).subscribe({
      next: (result) => (result.error ? error(result.error) : onEvent(result.data.generationEvents)),
      error,
      complete,
    });
  });
  client.stop();
}

export const clients = {
  'graphql-ws over a socket': overGraphqlWs,
  'urql over SSE': overUrql,
  'Apollo Client over multipart': overApollo,
};
