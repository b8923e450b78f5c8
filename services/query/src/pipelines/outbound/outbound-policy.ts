import { isIP } from 'node:net';
import { quoted } from '@allsource/shared/model';
import { isPublicAddress } from './private-addresses.ts';

/** Where pipelines may send requests, as the operator of the store has set it. */
export interface OutboundSettings {
  /** `host`, `*.domain`, `*`, each perhaps with `:port`. Without a port, that of the scheme. None: nowhere. */
  readonly hosts: readonly string[];
  /** `host:port` that may lie on a private network. */
  readonly privateHosts: readonly string[];
}

interface HostRule {
  readonly host: string;
  readonly port: string | null;
}

/** Decides where a request may go: first by its URL, then by the address that its host turns out to have. */
export class OutboundPolicy {
  readonly #rules: readonly HostRule[];
  readonly #private: ReadonlySet<string>;

  constructor({ hosts, privateHosts }: OutboundSettings) {
    this.#rules = hosts.map(ruleOf);
    this.#private = new Set(privateHosts.map((host) => host.toLowerCase()));
  }

  /** Why no request may be sent to a URL, or null. The address is looked at when the request is sent. */
  faultOf(url: URL): string | null {
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      return `The scheme of ${shownUrl(url)} is ${quoted(url.protocol)}; allowed are http and https.`;
    if (url.username !== '' || url.password !== '')
      return `The URL of ${shownUrl(url)} holds a user name or password, which is not allowed.`;
    if (this.isPrivateAllowed(url)) return null;
    const host = bareHost(url);
    if (!this.#rules.some((rule) => isAllowed(rule, url)))
      return `The host of ${shownUrl(url)} is not allowed. The operator of the store names allowed hosts in ALLSOURCE_PIPELINE_HTTP_HOSTS.`;
    if (isIP(host) !== 0 && !isPublicAddress(host)) return privateFault(shownUrl(url));
    return null;
  }

  /** Why no connection may be made to an address that the host of an allowed URL has, or null. */
  addressFault(url: URL, address: string): string | null {
    if (isPublicAddress(address) || this.isPrivateAllowed(url)) return null;
    return privateFault(shownUrl(url));
  }

  isPrivateAllowed(url: URL): boolean {
    return this.#private.has(`${url.hostname.toLowerCase()}:${portOf(url)}`);
  }
}

function ruleOf(text: string): HostRule {
  const match = /^(.*?)(?::(\d+))?$/.exec(text.toLowerCase());
  return { host: match?.[1] ?? text, port: match?.[2] ?? null };
}

function isAllowed({ host, port }: HostRule, url: URL): boolean {
  const asked = url.hostname.toLowerCase();
  // Of a URL, the port is empty where it is that of its scheme.
  const isPort = port === null ? url.port === '' : port === portOf(url);
  if (!isPort) return false;
  if (host === '*') return true;
  if (!host.startsWith('*.')) return asked === host;
  // A pattern is of names; an address has no subdomains.
  return isIP(bareHost(url)) === 0 && asked.endsWith(host.slice(1)) && asked.length >= host.length;
}

function portOf(url: URL): string {
  if (url.port !== '') return url.port;
  return url.protocol === 'https:' ? '443' : '80';
}

/** A host without the brackets of an IPv6 address. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** A URL as a sentence shows it: without what may be secret in its path and query. */
export function shownUrl(url: URL): string {
  return quoted(`${url.protocol}//${url.host}`);
}

function privateFault(host: string): string {
  return `${host} has an address that is not of the public internet, which is not allowed. The operator of the store can allow it in ALLSOURCE_PIPELINE_PRIVATE_HOSTS.`;
}
