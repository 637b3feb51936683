// A cable between client and server that can be cut: a TCP relay on a port of its own.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export async function plugIn(base) {
  const { hostname, port, protocol } = new URL(base);
  if (protocol !== 'http:') throw new Error('the cable carries http only');
  const ends = new Set();
  const relay = createServer((client) => {
    const server = connect(port || 80, hostname);
    for (const [end, other] of [[client, server], [server, client]]) {
      ends.add(end);
      end.on('error', () => {}).on('close', () => { ends.delete(end); other.destroy(); });
      end.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    base: `http://127.0.0.1:${relay.address().port}`,
    cut: () => ends.forEach((end) => end.destroy()),
    unplug: () => { relay.close(); ends.forEach((end) => end.destroy()); },
  };
}
