// RetryLink sends the same operation again when the stream breaks: keep `after` in it current.
import { ApolloLink } from '@apollo/client';
import { RetryLink } from '@apollo/client/link/retry';
import { OperationTypeNode } from 'graphql';
import { tap } from 'rxjs';

const keepAfterCurrent = new ApolloLink((operation, forward) =>
  forward(operation).pipe(tap(({ data }) => {
    const event = data?.generationEvents ?? data?.events;
    if (event) operation.variables = { ...operation.variables, after: event.sequence ?? event.cursor ?? operation.variables.after };
  })));

/** In front of HttpLink: `link: ApolloLink.from([resumeLink, httpLink])`. */
export const resumeLink = ApolloLink.from([
  new RetryLink({
    attempts: (_count, operation) => operation.operationType === OperationTypeNode.SUBSCRIPTION,
    delay: { initial: 300, max: 10_000, jitter: true },
  }),
  keepAfterCurrent,
]);
