/** A NATS URL taken apart, in the shape that the NATS client takes: it ignores credentials inside of a URL. */
export interface NatsAddress {
  /** The URL without credentials: safe to log. */
  readonly servers: string;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

/** Splits `nats://user:password@host:4222`. A user without a password is a token. The text must be a URL. */
export function natsAddress(url: string): NatsAddress {
  const { protocol, username, password, host } = new URL(url);
  const servers = `${protocol}//${host}`;
  if (username === '') return { servers };
  const user = decodeURIComponent(username);
  return password === ''
    ? { servers, token: user }
    : { servers, user, pass: decodeURIComponent(password) };
}
