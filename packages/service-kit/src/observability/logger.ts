import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** A logger that writes one JSON line per entry to standard error. Headers that carry secrets are cut out wherever they appear. */
export function createLogger(service: string, level: string): Logger {
  return pino(
    {
      name: service,
      level,
      base: { service },
      redact: [
        '*.authorization',
        '*["x-api-key"]',
        '*["x-allsource-internal-token"]',
        'headers.authorization',
        'headers["x-api-key"]',
      ],
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
