import { AllSourceError } from '@allsource/client/tools';

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  auth: 5,
  unavailable: 6,
  damaged: 7,
  interrupted: 130,
} as const;

/** A failure that the command itself found, with a sentence for the person who typed it. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The exit code of a failure. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  if (!(error instanceof AllSourceError)) return EXIT.failure;
  switch (error.status) {
    case null:
      return error.retryable ? EXIT.unavailable : EXIT.failure;
    case 401:
    case 403:
      return EXIT.auth;
    case 404:
      return EXIT.notFound;
    case 409:
    case 412:
      return EXIT.conflict;
    case 502:
    case 503:
    case 504:
      return EXIT.unavailable;
    default:
      return EXIT.failure;
  }
}

/** A failure in words. What nobody foresaw is shown with its stack, for the report of a fault. */
export function explainFailure(error: unknown): string {
  if (error instanceof CliError) return error.message;
  if (error instanceof AllSourceError) return `${error.message}${hint(error)}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function hint(error: AllSourceError): string {
  if (error.status === 401) return ' (Use --api-key or ALLSOURCE_API_KEY.)';
  if (error.code === 'unreachable')
    return ' Is the store running, and is the address right (--url, ALLSOURCE_URL)?';
  return '';
}
