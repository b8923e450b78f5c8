/** Says loudly that something cannot be tested on this machine, and why. */
export function reportNotTested(test: string, reason: string): void {
  process.stderr.write(`\n*** NOT TESTED: ${test}. ${reason} ***\n\n`);
}
