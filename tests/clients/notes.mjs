// A small tool server, made with the official SDK: notes that are read and written.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

export async function openNotes(port = 0) {
  const notes = [];
  const made = () => {
    const server = new McpServer({ name: 'notes', version: '1.0.0' });
    const said = (text) => ({ content: [{ type: 'text', text }] });
    server.registerTool(
      'write_note',
      { description: 'Writes a note.', inputSchema: { text: z.string() }, annotations: { readOnlyHint: false } },
      async ({ text }) => said(`Note ${notes.push(text)} is written.`),
    );
    return server;
  };
  const listener = createServer(async (request, response) => {
    const server = made();
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(request, response);
  }).listen(port, '127.0.0.1');
  await once(listener, 'listening');
  const origin = `http://127.0.0.1:${listener.address().port}`;
  return { notes, origin, url: `${origin}/mcp`, close: () => { listener.close(); listener.closeAllConnections(); } };
}
