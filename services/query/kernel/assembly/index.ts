/** The doors of the page kernel; src/reads/page-kernel/ is their only caller. */
import { MEMORY_PAGES } from './layout';

export { render, renderLines } from './render';

/** Takes the memory. Returns false when there is not enough. */
export function initialize(): bool {
  const pages = MEMORY_PAGES - memory.size();
  return pages <= 0 || memory.grow(pages) != -1;
}
