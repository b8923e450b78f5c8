/**
 * A read model of assets, as a process would keep it.
 *
 * Prints:
 *     BTC: {"symbol":"BTC","altname":"XBT","exchanges":{"kraken":"XXBT"}}
 *     live: ETH
 *     after a restart: BTC, ETH; events read again: 0
 */
import { CoreClient, ProjectionWorker } from '@allsource/client';
import { coreOptions, fresh } from './connect.ts';

type AssetEvents = {
  'asset.registered': { symbol: string };
  'asset.updated': { symbol: string; altname: string };
  'exchange_mapping.set': { symbol: string; exchange: string; name: string };
};
type Asset = { symbol: string; altname?: string; exchanges: Record<string, string> };

const core = new CoreClient<AssetEvents>(coreOptions);
const name = fresh('assets');
// Only the assets of this run: examples may be run again and again.
const entityId = fresh('exchange');

let reduced = 0;
function newWorker() {
  return new ProjectionWorker({
    core,
    name, // its durable consumer, and where its state is saved
    eventTypes: ['asset.registered', 'asset.updated', 'exchange_mapping.set'],
    initialState: (): Record<string, Asset> => ({}),
    reducer: (assets, event) => {
      reduced += 1;
      if (event.entityId !== entityId) return;
      const { symbol } = event.payload;
      const asset = assets[symbol] ?? { symbol, exchanges: {} };
      if (event.eventType === 'asset.updated') asset.altname = event.payload.altname;
      if (event.eventType === 'exchange_mapping.set')
        asset.exchanges[event.payload.exchange] = event.payload.name;
      assets[symbol] = asset;
    },
    checkpointInterval: 100,
  });
}

await core.ingestBatch([
  { eventType: 'asset.registered', entityId, payload: { symbol: 'BTC' } },
  { eventType: 'asset.updated', entityId, payload: { symbol: 'BTC', altname: 'XBT' } },
  {
    eventType: 'exchange_mapping.set',
    entityId,
    payload: { symbol: 'BTC', exchange: 'kraken', name: 'XXBT' },
  },
]);

const worker = newWorker();
await worker.start();
await worker.caughtUp();
const btc = await worker.getState('BTC');
console.log(
  `BTC: ${JSON.stringify({ symbol: btc?.symbol, altname: btc?.altname, exchanges: btc?.exchanges })}`,
);

const { position } = worker;
await core.ingestEvent({ eventType: 'asset.registered', entityId, payload: { symbol: 'ETH' } });
await worker.applied(position + 1);
console.log(`live: ${(await worker.getState('ETH'))?.symbol}`);
await worker.stop();

reduced = 0;
await using again = newWorker();
await again.start();
await again.caughtUp();
console.log(
  `after a restart: ${Object.keys(again.state()).join(', ')}; events read again: ${reduced}`,
);
