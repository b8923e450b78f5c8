/** SQLite in a process of its own, which the harness tells what to do and kills. */
import Database from 'better-sqlite3';

interface Order {
  readonly id: number;
  readonly verb: 'ping' | 'append' | 'read' | 'close';
  readonly key?: string;
  readonly text?: string;
}

let database: Database.Database | null = null;

function opened(): Database.Database {
  if (database !== null) return database;
  database = new Database(process.argv[2] ?? '');
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, key TEXT UNIQUE, text TEXT NOT NULL)',
  );
  return database;
}

function carryOut({ verb, key, text }: Order): unknown {
  const events = opened();
  if (verb === 'append')
    events
      .prepare('INSERT INTO events (key, text) VALUES (?, ?) ON CONFLICT (key) DO NOTHING')
      .run(key, text);
  if (verb === 'read')
    return events.prepare('SELECT key, text FROM events ORDER BY position').all();
  if (verb === 'close') events.close();
  return undefined;
}

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  try {
    process.send?.({ id: order.id, error: null, events: carryOut(order) });
  } catch (error) {
    process.send?.({ id: order.id, error: String(error) });
  }
});
