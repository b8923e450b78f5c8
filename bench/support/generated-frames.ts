/** Frames as core writes them, made one after the other from a seed: events of about 150 bytes of payload over many entities. */
import { micros, partitionOf, position, version, writeEventId } from '@allsource/shared/model';
import { encodeFrame, type Frame } from '@allsource/shared/protocol';

const TYPES = ['order.placed', 'order.paid', 'order.shipped', 'order.closed'];
const START = 1_767_225_600_000_000;

export interface FrameMakerOptions {
  readonly frameEvents: number;
  readonly entities: number;
  readonly seed?: number;
  /** Entities come in turn, so that each of them comes; otherwise by chance. */
  readonly isInTurn?: boolean;
}

export interface FrameMaker {
  (): Frame;
  readonly logId: string;
}

/** A function that makes the next frame at each call. */
export function frameMaker({
  frameEvents,
  entities,
  seed = 1,
  isInTurn = false,
}: FrameMakerOptions): FrameMaker {
  const logId = Buffer.alloc(8, 'bench-lg');
  const tenant = Buffer.from('default');
  const versions = new Uint32Array(entities);
  const lastPositions = new Float64Array(entities);
  const types = TYPES.map((type) => Buffer.from(type));
  let state = seed;
  let next = 1;
  let recordedAt = START;
  let previousChecksum = 0;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const make = () => {
    recordedAt += 1000;
    const events = Array.from({ length: frameEvents }, (_, i) => {
      const at = next + i;
      const number = isInTurn ? at % entities : random(entities);
      const entity = Buffer.from(`order-${number}`);
      const id = Buffer.alloc(16);
      const recordedAtMs = Math.floor(recordedAt / 1000);
      writeEventId(id, 0, { recordedAtMs, position: position(at), random: random(2 ** 22) });
      const payload = {
        orderId: at,
        amount: random(100_000) / 100,
        currency: 'EUR',
        items: [
          { sku: `A${at % 97}`, qty: 2 },
          { sku: `B${at % 31}`, qty: 1 },
        ],
      };
      const event = {
        id,
        timestamp: micros(recordedAt),
        version: version((versions[number] as number) + 1),
        previousPosition: position(lastPositions[number] as number),
        partition: partitionOf(tenant, entity, 256),
        type: types[at % types.length] as Buffer,
        entity,
        payload: Buffer.from(JSON.stringify(payload)),
        metadata: Buffer.from(`{"correlation_id":"c-${at}"}`),
      };
      versions[number] = (versions[number] as number) + 1;
      lastPositions[number] = at;
      return event;
    });
    const frame = encodeFrame({
      logId,
      position: position(next),
      recordedAt: micros(recordedAt),
      durablePosition: position(next - 1),
      previousChecksum,
      tenant,
      isSystem: false,
      idempotency: null,
      events,
    });
    previousChecksum = frame.checksum;
    next += frameEvents;
    return frame;
  };
  return Object.assign(make, { logId: logId.toString('hex') });
}
