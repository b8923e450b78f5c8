/** How an export ends when it does not end well: nothing half is left, and the exit code says what it was. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RunningCommand, runCommand, until } from './command.ts';

const lineOf = (position: number) =>
  `{"id":"e","payload":{"n":${position}},"position":${position}}\n`;

let server: Server;
let url: string;
let folder: string;
/** Answers a request; the number counts from 1. */
let answer: (response: ServerResponse, request: number) => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'allsource-cli-'));
  let requests = 0;
  server = createServer((_request, response) => answer(response, ++requests));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
  rmSync(folder, { recursive: true, force: true });
});

function begin(response: ServerResponse, count: number | null): void {
  response.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'x-allsource-position': '1000',
    ...(count === null ? {} : { 'x-allsource-count': String(count) }),
  });
}

function run(...args: string[]) {
  return runCommand(['export', ...args], { url, folder });
}

const drafts = () => readdirSync(folder).filter((name) => name.endsWith('.part'));

describe('the command', () => {
  it('imports nothing by a name that Node 20 does not have, so that it starts there', () => {
    const bundle = readFileSync(join(import.meta.dirname, '../dist/main.js'), 'utf8');
    const names = [...bundle.matchAll(/import \{([^}]*)\} from "node:zlib"/g)].map(
      ([, list]) => list,
    );
    expect(bundle).toContain('from "node:zlib"');
    expect(names.join()).not.toMatch(/zstd/i);
  });
});

describe('allsource export', () => {
  it('leaves nothing behind when it is interrupted', async () => {
    answer = (response) => {
      begin(response, 1000);
      response.write(lineOf(1));
    };
    const command = new RunningCommand(['export', '--out', 'a.ndjson'], { url, folder });
    await until(() => drafts().length === 1, 'the draft');
    command.process.kill('SIGINT');
    expect(await command.ended).toBe(130);
    expect(command.stderr).toContain('Interrupted. Nothing was written.');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing behind when the store stays away, and ends with 6', async () => {
    const args = ['export', '--out', 'a.ndjson', '--retry-for', '200ms'];
    answer = (response, request) => {
      if (request > 1) {
        response.destroy();
        return;
      }
      begin(response, 1000);
      response.write(lineOf(1));
      setTimeout(() => response.destroy(), 10);
    };
    expect(await runCommand(args, { url, folder })).toMatchObject({ code: 6, stdout: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes no answer for whole that ends too early', async () => {
    answer = (response) => {
      begin(response, 3);
      response.end(lineOf(1) + lineOf(2));
    };
    const command = await runCommand(['export', '--out', 'a.ndjson'], { url, folder });
    expect(command.code).toBe(1);
    expect(command.stderr).toContain('after 2 of 3 events');
    expect(existsSync(join(folder, 'a.ndjson'))).toBe(false);
  });

  it('goes on after a cut, and says what it wrote', async () => {
    answer = (response, request) => {
      begin(response, request === 1 ? 3 : 1);
      if (request > 1) {
        response.end(lineOf(3));
        return;
      }
      response.write(lineOf(1) + lineOf(2) + lineOf(3).slice(0, 9));
      setTimeout(() => response.destroy(), 10);
    };
    const command = await runCommand(['export', '--out', 'a.ndjson'], { url, folder });
    expect(command.code).toBe(0);
    expect(command.stdout).toMatch(/^Exported 3 events as of position 1000: .* in a\.ndjson, /);
    const text = lineOf(1) + lineOf(2) + lineOf(3);
    expect(readFileSync(join(folder, 'a.ndjson'), 'utf8')).toBe(text);
  });

  it('ends without a complaint when the reader of its output has gone', async () => {
    answer = (response) => {
      begin(response, null);
      const timer = setInterval(() => response.write(lineOf(1).repeat(1000)), 1);
      response.on('close', () => clearInterval(timer));
    };
    const command = new RunningCommand(['export'], { url, folder });
    await until(() => command.stdout !== '', 'the first lines');
    command.process.stdout?.destroy();
    expect(await command.ended).toBe(0);
    expect(command.stderr).toBe('');
  });

  it('is refused where the file cannot be, and for what it does not know, before it asks', async () => {
    answer = () => {
      throw new Error('nothing should be asked');
    };
    expect(await run('--out', 'no/such/folder/a.csv')).toMatchObject({ code: 1 });
    expect(await run('--format', 'xml')).toMatchObject({ code: 2 });
    expect(await run('--limit', '0')).toMatchObject({ code: 2 });
    for (const type of ['Gen*x', '*.placed', 'order.**']) {
      const refused = await run('--type', type);
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).toContain('a prefix that ends with * such as order.*');
    }
    const excluding = await run('--exclude-type', 'order.*');
    expect(excluding).toMatchObject({ code: 2, stdout: '' });
    expect(excluding.stderr).toContain('such as order. or order.,meter.');
  });

  it('takes a star at the end for a prefix, and one alone for all types', async () => {
    const asked: (string | null)[][] = [];
    answer = (response) => {
      const { searchParams } = new URL(response.req.url ?? '', url);
      asked.push([searchParams.get('event_type'), searchParams.get('event_type_prefix')]);
      begin(response, 0);
      response.end();
    };
    for (const type of ['order.placed', 'order.*', 'ord*', '*'])
      expect(await run('--type', type)).toMatchObject({ code: 0 });
    expect(asked).toEqual([
      ['order.placed', null],
      [null, 'order.'],
      [null, 'ord'],
      [null, null],
    ]);
  });
});
