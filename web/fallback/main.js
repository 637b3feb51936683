// The playground of a build made without Node.js: the last GraphiQL that came as
// one script, loaded with pinned hashes, and wired like ../graphiql/main.js.
import { WELCOME } from './welcome.js';

const { React, ReactDOM, GraphiQL } = globalThis;
if (React && ReactDOM && GraphiQL) {
  const endpoint = new URL('/graphql', location.href);
  const socket = new URL(endpoint);
  socket.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';
  const fetcher = GraphiQL.createFetcher({
    url: endpoint.href,
    subscriptionUrl: socket.href,
    enableIncrementalDelivery: false,
  });
  ReactDOM.createRoot(document.getElementById('graphiql')).render(
    React.createElement(GraphiQL, { fetcher, defaultQuery: WELCOME, defaultEditorToolsVisibility: 'headers' }),
  );
}
