/** Deals keys out to shares: the same key always to the same one (FNV-1a over the UTF-16 units). */
export function shareOfKey(key: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % count;
}
