import { type Position, position } from '@allsource/shared/model';
import {
  frameExtent,
  type FrameEvent,
  FRAME_HEADER_BYTES,
  readExcerpt,
} from '@allsource/shared/protocol';
import { segmentProblem } from './log-damage.ts';
import type { SealedFile } from './sealed-file.ts';

/**
 * Reads one event out of a sealed segment: its span and its text, and of the rest of its frame the header. What is read was verified block by block,
 * so a frame of a thousand events costs two or three blocks. From the mark before it goes from header to header.
 */
export function readSealedEvent(file: SealedFile, at: Position): FrameEvent {
  const { start } = file.find(at);
  let offset = start.offset;
  let first = start.position;
  for (;;) {
    const extent = frameExtent(file.view(offset, FRAME_HEADER_BYTES));
    if (extent === null || extent.position !== first)
      throw segmentProblem(file.name, `no frame where position ${first} belongs`);
    if (at < first + extent.eventCount) break;
    offset += extent.bytes;
    first = position(first + extent.eventCount);
  }
  const excerpt = readExcerpt((from, length) => file.view(offset + from, length), at - first);
  if (excerpt === null)
    throw segmentProblem(file.name, `the frame of position ${first} has another shape`);
  return excerpt.event(0);
}
