import { chooseFreePort } from '@allsource/service-kit/http';

/** Ports that were free a moment ago, on the loopback address. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await chooseFreePort());
  return [...ports];
}
