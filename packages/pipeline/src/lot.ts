/** A number below 2^32 that looks random and depends on the seed and the key alone (FNV-1a and an avalanche). */
export function lot(seed: string, key: string): number {
  let hash = 0x811c9dc5;
  for (const text of [seed, '\u0000', key])
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
