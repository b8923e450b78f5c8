/** Columns of text, aligned, with two spaces between them. The last column is as wide as it is. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const clean = rows.map((row) => row.map(withoutControls));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return clean.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** Text from a store, made safe for a terminal: what it cannot print, it cannot obey either. */
export function withoutControls(text: string): string {
  return text.replace(CONTROLS, '�');
}

/** JSON text on one line: line breaks stand only between tokens, where a space means the same. */
export function onOneLine(json: string): string {
  return json.replace(/[\r\n]+/g, ' ');
}

/** Text cut to a width, with a mark where it was cut. */
export function cutTo(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** A count with separators, for people. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** A number of bytes, for people. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A span of time, for people. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
