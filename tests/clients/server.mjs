// The server under test: one that runs already, or a binary that may be killed and started again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const target = process.env.PARLOR_UNDER_TEST;

/** Whether the server is ours to kill. */
export const ours = target && !/^https?:/.test(target);

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

/** Starts it, with more in its environment; a server that runs already is taken as it is. */
export async function startServer(more = {}) {
  if (!target) throw new Error('Say what to test: ./run.sh BASE_URL, or ./run.sh path/to/parlor');
  if (!ours) return { base: target.replace(/\/$/, ''), stop: async () => {} };

  const home = await mkdtemp(join(tmpdir(), 'parlor-'));
  const listen = `127.0.0.1:${await freePort()}`;
  const server = {
    base: `http://${listen}`,
    async start() {
      const env = { ...process.env, PARLOR_LISTEN: listen, PARLOR_DATA_DIR: home, PARLOR_ENV: 'development', ...more };
      const child = spawn(resolve(target), ['serve'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (words) => (said = (said + words).slice(-4000)));
      this.child = child;
      for (let tries = 0; tries < 600; tries++) {
        if (child.exitCode !== null) throw new Error(`parlor serve ended with ${child.exitCode}:\n${said}`);
        const ready = await fetch(`${this.base}/readyz`).catch(() => null);
        if (ready?.ok) return;
        await pause(100);
      }
      throw new Error(`parlor serve is not ready after a minute:\n${said}`);
    },
    async end(signal) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return;
      const exit = once(this.child, 'exit');
      this.child.kill(signal);
      await exit;
    },
    kill() { return this.end('SIGKILL'); },
    async stop() {
      await this.end('SIGTERM');
      await rm(home, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
