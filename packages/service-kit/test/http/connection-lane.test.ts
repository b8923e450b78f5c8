import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from '@jest/globals';
import { ConnectionLane, type LaneReader, type LaneTurn } from '../../src/http/index.ts';

/** Reads one request that never becomes whole. */
class EndlessReader implements LaneReader {
  readingSince: number | null = null;
  readonly #turn: LaneTurn;

  constructor(turn: LaneTurn) {
    this.#turn = turn;
  }

  take(): void {
    if (this.readingSince !== null) return;
    this.#turn.accept();
    this.readingSince = this.#turn.activeAt;
  }
}

it('a request that comes in drops is given up when its time is over, however lately the last drop came', async () => {
  const server = createServer();
  server.requestTimeout = 300;
  const lane = new ConnectionLane({ server, reader: (turn) => new EndlessReader(turn) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  const drops = setInterval(() => void socket.write('x'), 50);
  // A reset comes as an error first; both are the end that is waited for.
  socket.on('error', () => undefined).resume();
  await once(socket, 'close');
  clearInterval(drops);
  expect(socket.bytesWritten).toBeGreaterThan(3);
  await lane.close(0);
  server.close();
});
