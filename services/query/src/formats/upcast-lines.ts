import { Turns } from '@allsource/service-kit/turns';
import type { RowStretches } from '../history/event-history.ts';
import type { JsonWriter } from '../reads/json-writer.ts';
import { writeUpcastEvent } from '../schemas/upcast-output.ts';
import type { UpcastReading } from '../schemas/upcasting.ts';
import { onOneLine } from './ndjson-encoder.ts';

/** Writes events as lines of JSON with their payloads upcast, in turns, and ends the answer. */
export async function writeUpcastLines(
  found: AsyncIterable<RowStretches>,
  { writer, reading }: { readonly writer: JsonWriter; readonly reading: UpcastReading },
): Promise<void> {
  const turns = new Turns();
  for await (const stretches of found)
    for (const { run, rows } of stretches)
      for (const row of rows) {
        const event = run.event(row);
        const upcast = reading.of(event);
        const done = upcast instanceof Promise ? await upcast : upcast;
        writeUpcastEvent(writer, event, { upcast: done, shown: onOneLine });
        writer.text('\n');
        if (writer.isFull && !(await writer.flush())) return;
        if (turns.isTurnOver) await turns.nextTurn();
      }
  writer.end();
}
