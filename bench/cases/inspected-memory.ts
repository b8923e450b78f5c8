/** Asks a Node process that runs with --inspect what it really uses: after a full collection, so that garbage does not count. */
import { readFileSync } from 'node:fs';

/** Bytes of live objects and buffers. `output` is what the process printed, where the inspector's address stands. */
export async function usedBytes(output: string): Promise<number> {
  const address = /Debugger listening on (ws:\S+)/.exec(output)?.[1];
  if (address === undefined) throw new Error('The process was not started with --inspect.');
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', reject, { once: true });
  });
  try {
    await command(socket, { method: 'HeapProfiler.collectGarbage' });
    await command(socket, { method: 'HeapProfiler.collectGarbage' });
    const expression = '((u) => u.heapUsed + u.external)(process.memoryUsage())';
    const reply = await command(socket, { method: 'Runtime.evaluate', params: { expression } });
    return (reply as { result: { result: { value: number } } }).result.result.value;
  } finally {
    socket.close();
  }
}

/** Bytes of a process that are in memory, garbage included. NaN where there is no /proc. */
export function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

let lastId = 0;

function command(socket: WebSocket, message: object): Promise<unknown> {
  lastId += 1;
  const id = lastId;
  return new Promise((resolve) => {
    const onMessage = ({ data }: MessageEvent) => {
      const reply = JSON.parse(String(data)) as { id?: number };
      if (reply.id !== id) return;
      socket.removeEventListener('message', onMessage);
      resolve(reply);
    };
    socket.addEventListener('message', onMessage);
    socket.send(JSON.stringify({ id, ...message }));
  });
}
