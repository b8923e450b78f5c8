/** Waits. An abort ends the wait at once and throws the signal's reason. */
export function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => signal?.removeEventListener('abort', onAbort);
    const timer = setTimeout(() => {
      end();
      resolve();
    }, delayMs);
    function onAbort(): void {
      clearTimeout(timer);
      end();
      reject(reasonOf(signal));
    }
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort);
  });
}

/** Why a signal was aborted, as an error. */
export function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
