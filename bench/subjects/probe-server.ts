/**
 * The plain probe: the least that a durable JSON event store in Node can be, as a yardstick for what the platform allows. node:http, JSON.parse,
 * versions in a Map, group commit into a preallocated file, fdatasync before every answer. It has no authentication, conditions, limits,
 * checksums, recovery or reads, and it overwrites its file when that is full.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fdatasync, fdatasyncSync, openSync, write, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const FILE_BYTES = 256 * 1024 * 1024;
const ZEROS = Buffer.alloc(4 * 1024 * 1024);

interface AppendedEvent {
  readonly entity_id: string;
}

interface Waiting {
  readonly line: string;
  readonly respond: () => void;
}

const [port = '0', folder = '.'] = process.argv.slice(2);
const file = openSync(join(folder, 'probe.log'), 'w');
for (let offset = 0; offset < FILE_BYTES; offset += ZEROS.length) writeSync(file, ZEROS);
fdatasyncSync(file);

const versions = new Map<string, number>();
let waiting: Waiting[] = [];
let isWriting = false;
let fileOffset = 0;

function accept(events: readonly AppendedEvent[]): object[] {
  const timestamp = new Date().toISOString();
  return events.map(({ entity_id }) => {
    const version = (versions.get(entity_id) ?? 0) + 1;
    versions.set(entity_id, version);
    return { event_id: randomUUID(), timestamp, version };
  });
}

function commit(): void {
  if (isWriting || waiting.length === 0) return;
  isWriting = true;
  const group = waiting;
  waiting = [];
  const bytes = Buffer.from(group.map(({ line }) => line).join(''));
  if (fileOffset + bytes.length > FILE_BYTES) fileOffset = 0;
  write(file, bytes, 0, bytes.length, fileOffset, (writeFault) => {
    if (writeFault !== null) throw writeFault;
    fileOffset += bytes.length;
    fdatasync(file, (syncFault) => {
      if (syncFault !== null) throw syncFault;
      isWriting = false;
      for (const { respond } of group) respond();
      commit();
    });
  });
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as
      | AppendedEvent
      | { events: AppendedEvent[] };
    const isBatch = 'events' in body;
    const accepted = accept(isBatch ? body.events : [body]);
    const answer = isBatch
      ? { total: accepted.length, ingested: accepted.length, events: accepted }
      : accepted[0];
    const text = JSON.stringify(answer);
    const headers = { 'content-type': 'application/json', 'content-length': text.length };
    const line = `${JSON.stringify({ body, accepted })}\n`;
    waiting.push({ line, respond: () => response.writeHead(200, headers).end(text) });
    commit();
  });
});
server.listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => {
  closeSync(file);
  process.exit(0);
});
