const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /^writer:|writer has stopped|; writer:/,
    'Look for the cause in the system log (dmesg), make a copy of the data folder, then restart core: it verifies the log before it takes appends. See docs/guides/operations.md.',
  ],
  [
    /^space:|disk is full|; space:/,
    'Free some space or enlarge the volume; appends go on by themselves. Never delete segments (*.seg).',
  ],
  [/shutting down/, 'Wait until it has stopped; start it again if that was not meant.'],
  [
    /history files|damaged/,
    'Restart the query service: what it stores is rebuilt from the log. For the log itself run `allsource verify`.',
  ],
  [
    /caught up|being read|behind|follow/,
    'It is catching up with the log, or cannot reach core: look again in a moment, then at CORE_URL.',
  ],
];

/** What to do about a service that says what is wrong with it. */
export function adviceFor(reason: string): string {
  const known = ADVICE.find(([pattern]) => pattern.test(reason));
  return known?.[1] ?? 'Is it running, and is its address right? Look at its log.';
}
