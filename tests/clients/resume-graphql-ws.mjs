// graphql-ws sends the same payload again when it reconnects: keep `after` in it current.
export function subscribeAndResume(client, payload, sink) {
  return client.subscribe(payload, {
    ...sink,
    next(result) {
      const event = result.data?.generationEvents ?? result.data?.events;
      if (event) payload.variables.after = event.sequence ?? event.cursor ?? payload.variables.after;
      sink.next(result);
    },
  });
}
