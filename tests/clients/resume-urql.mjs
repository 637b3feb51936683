// retryExchange sends the same operation again when the stream breaks: keep `after` in it current.
import { retryExchange } from '@urql/exchange-retry';
import { pipe, tap } from 'wonka';

const keepAfterCurrent = ({ forward }) => (operations) =>
  pipe(forward(operations), tap(({ data, operation }) => {
    const event = data?.generationEvents ?? data?.events;
    if (event) operation.variables.after = event.sequence ?? event.cursor ?? operation.variables.after;
  }));

/** In front of fetchExchange: `exchanges: [...resumeExchanges, fetchExchange]`. */
export const resumeExchanges = [
  retryExchange({
    retryIf: ({ networkError }, { kind }) => Boolean(networkError) && kind === 'subscription',
    initialDelayMs: 300, maxDelayMs: 10_000, maxNumberAttempts: Infinity,
  }),
  keepAfterCurrent,
];
