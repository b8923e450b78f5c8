/** Copies short texts 16 bytes at a time. It reads and writes up to 15 bytes too many, which every region allows for, and returns the target's end. */
export function copyText(target: usize, source: usize, bytes: usize): usize {
  if (bytes > 512) memory.copy(target, source, bytes);
  else
    for (let at: usize = 0; at < bytes; at += 16) v128.store(target + at, v128.load(source + at));
  return target + bytes;
}
