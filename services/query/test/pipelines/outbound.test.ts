/** Where pipelines may send requests, and where not: by the text of a URL, by the address that its host turns out to have, and by what comes back. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups } from '@allsource/testkit';
import { OutboundPolicy } from '../../src/pipelines/outbound/outbound-policy.ts';
import {
  OutboundRequests,
  type ResolvedAddress,
} from '../../src/pipelines/outbound/outbound-requests.ts';
import { isPublicAddress } from '../../src/pipelines/outbound/private-addresses.ts';

const cleanups = new Cleanups();

afterEach(() => cleanups.run());

const PRIVATE_ADDRESSES: readonly string[] = [
  ['0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.254'],
  ['127.0.0.1', '127.1.2.3', '169.254.169.254', '169.254.0.1', '172.16.0.1', '172.31.255.255'],
  ['192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.0.1', '192.168.255.255', '198.18.0.1'],
  ['198.19.255.255', '198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.250', '240.0.0.1'],
  ['255.255.255.255'],
  ['::', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8', '::127.0.0.1', 'fe80::1'],
  ['fe80::1%eth0', 'fc00::1', 'fd12:3456::1', 'ff02::1', '64:ff9b::7f00:1', '64:ff9b:1::1'],
  ['100::1', '2001::1', '2001:db8::1', '2002:7f00:1::', '2002:a00:1::1', '3fff::1', '5f00::1'],
].flat();
const NO_ADDRESSES = [
  '',
  'localhost',
  '127.1',
  '0x7f.1',
  '2130706433',
  '1.2.3',
  '1.2.3.4.5',
  'g::1',
];
const PUBLIC_ADDRESSES = [
  '8.8.8.8',
  '1.1.1.1',
  '100.128.0.1',
  '172.32.0.1',
  '192.169.0.1',
  '2606:4700::1111',
  '2a00:1450::5',
];

/** URLs that lead to this machine or the local network by their text, however that is written. */
const PRIVATE_URLS = [
  ['127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.0.0.1', '0177.0.0.1'],
  ['017700000001', '0x7f.1', '127.0.0.1.', '0', '0.0.0.0', '00.0x0.0', '10.1', '0xa000001'],
  ['169.254.169.254', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '192.168.1', '3232235777'],
  [
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:169.254.169.254]',
  ],
  ['[fe80::1]', '[fd00::1]', '[64:ff9b::a9fe:a9fe]', '[2002:7f00:1::]', '[::127.0.0.1]'],
  [
    '①②⑦.⓪.⓪.①',
    '１２７.0.0.1',
    '%31%32%37.0.0.1',
    '127。0。0。1',
    '198.51.100.1',
    '255.255.255.255',
  ],
]
  .flat()
  .flatMap((host) => [`http://${host}/`, `https://${host}/latest/meta-data`]);

/** URLs that no rule for `*` lets through, whatever their host. */
const ODD_URLS = [
  ['ftp://example.com/', 'file:///etc/passwd', 'gopher://example.com/', 'data:text/plain,x'],
  ['javascript:alert(1)', 'ws://example.com/', 'unix:/var/run/docker.sock'],
  ['http://user@example.com/', 'http://user:pass@example.com/', 'https://127.0.0.1@example.com/'],
  [
    'http://example.com:22/',
    'http://example.com:6379/',
    'https://example.com:80/',
    'http://example.com:3900/',
  ],
].flat();

const anywhere = new OutboundPolicy({ hosts: ['*'], privateHosts: [] });

describe('addresses', () => {
  it('of private networks, and what is none, are not public', () => {
    for (const address of [...PRIVATE_ADDRESSES, ...NO_ADDRESSES])
      expect({ address, isPublic: isPublicAddress(address) }).toEqual({ address, isPublic: false });
    for (const address of PUBLIC_ADDRESSES)
      expect({ address, isPublic: isPublicAddress(address) }).toEqual({ address, isPublic: true });
  });
});

describe('the policy', () => {
  it('refuses addresses of private networks, however they are written, even where every host is allowed', () => {
    expect(PRIVATE_URLS.length + ODD_URLS.length + PRIVATE_ADDRESSES.length).toBeGreaterThan(120);
    for (const text of PRIVATE_URLS) {
      if (!URL.canParse(text)) continue;
      expect({ text, fault: anywhere.faultOf(new URL(text)) }).toEqual({
        text,
        fault: expect.any(String),
      });
    }
  });

  it('refuses other schemes, names and passwords, and ports that nobody has allowed', () => {
    for (const text of ODD_URLS)
      expect({ text, fault: anywhere.faultOf(new URL(text)) }).toEqual({
        text,
        fault: expect.any(String),
      });
  });

  it('allows the hosts it names, and what lies below a pattern', () => {
    const policy = new OutboundPolicy({
      hosts: ['api.example.com', '*.hooks.example.org', 'ported.example.com:8443'],
      privateHosts: [],
    });
    const allowed = (text: string) => policy.faultOf(new URL(text)) === null;
    expect(allowed('https://api.example.com/x')).toBe(true);
    expect(allowed('https://API.example.com:443/x')).toBe(true);
    expect(allowed('https://a.b.hooks.example.org/')).toBe(true);
    expect(allowed('https://ported.example.com:8443/')).toBe(true);
    for (const text of [
      'https://api.example.com:8443/',
      'https://api.example.com./',
      'https://evil-api.example.com/',
      'https://api.example.com.evil.org/',
      'https://hooks.example.org/',
      'https://evilhooks.example.org/',
      'https://ported.example.com/',
      'https://xn--pi-8ka.example.com/',
    ])
      expect({ text, isAllowed: allowed(text) }).toEqual({ text, isAllowed: false });
    expect(
      new OutboundPolicy({ hosts: [], privateHosts: [] }).faultOf(new URL('https://8.8.8.8/')),
    ).toContain('ALLSOURCE_PIPELINE_HTTP_HOSTS');
  });
});

/** A server on this machine that counts who comes. */
async function server(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const seen = { count: 0 };
  const listening: Server = createServer((request, response) => {
    seen.count += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  cleanups.add(async () => {
    listening.closeAllConnections();
    await new Promise<void>((resolve) => listening.close(() => resolve()));
  });
  return { port: (listening.address() as AddressInfo).port, seen };
}

const get = (url: string, bytesMax = 1_000) => ({
  url: new URL(url),
  method: 'GET' as const,
  headers: {},
  body: null,
  bytesMax,
});

describe('a request', () => {
  it('is not sent to a name that has a private address, among others or alone', async () => {
    const { port, seen } = await server((_request, response) => response.end('secret'));
    const policy = new OutboundPolicy({ hosts: [`rebound.example:${port}`], privateHosts: [] });
    for (const addresses of [
      ['127.0.0.1'],
      ['8.8.8.8', '127.0.0.1'],
      ['::1'],
      ['::ffff:127.0.0.1'],
    ]) {
      const resolve = () =>
        Promise.resolve(
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        );
      const requests = new OutboundRequests({ policy, resolve });
      await expect(requests.send(get(`http://rebound.example:${port}/`))).rejects.toMatchObject({
        isRefused: true,
      });
    }
    expect(seen.count).toBe(0);
  });

  it('asks for the address of its host once, and goes there', async () => {
    const { port, seen } = await server((_request, response) => response.end('ok'));
    const policy = new OutboundPolicy({ hosts: [], privateHosts: [`inside.example:${port}`] });
    let asked = 0;
    const resolve = (): Promise<ResolvedAddress[]> => {
      asked += 1;
      // The second answer would lead somewhere else.
      const address = asked === 1 ? '127.0.0.1' : '192.0.2.1';
      return Promise.resolve([{ address, family: 4 }]);
    };
    const requests = new OutboundRequests({ policy, resolve });
    const answer = await requests.send(get(`http://inside.example:${port}/`));
    expect(answer.body.toString()).toBe('ok');
    expect([asked, seen.count]).toEqual([1, 1]);
  });

  it('does not follow a redirect', async () => {
    const inner = await server((_request, response) => response.end('secret'));
    const outer = await server((_request, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${inner.port}/` }).end(),
    );
    const policy = new OutboundPolicy({ hosts: [], privateHosts: [`127.0.0.1:${outer.port}`] });
    const answer = await new OutboundRequests({ policy }).send(
      get(`http://127.0.0.1:${outer.port}/`),
    );
    expect([answer.status, inner.seen.count]).toEqual([302, 0]);
  });

  it('ends when the answer is too long or does not come', async () => {
    const long = await server((_request, response) => response.end('x'.repeat(2_000)));
    const never = await server(() => {});
    const policy = new OutboundPolicy({
      hosts: [],
      privateHosts: [`127.0.0.1:${long.port}`, `127.0.0.1:${never.port}`],
    });
    const requests = new OutboundRequests({ policy, timeoutMs: 50 });
    await expect(requests.send(get(`http://127.0.0.1:${long.port}/`))).rejects.toThrow(
      'more than 1000 bytes',
    );
    const cut = await requests.send({ ...get(`http://127.0.0.1:${long.port}/`), isCut: true });
    expect(cut.body).toHaveLength(1_000);
    await expect(requests.send(get(`http://127.0.0.1:${never.port}/`))).rejects.toThrow(
      'no answer within 50 ms',
    );
  });
});
