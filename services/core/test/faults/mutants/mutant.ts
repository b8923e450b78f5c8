/** A fault planted on purpose, as a change of a source's text, and the test that has to find it. */
export interface Mutant {
  /** What is wrong in the code, in words. */
  readonly fault: string;
  /** The source, from the root of the repository. */
  readonly file: string;
  /** Each text must occur exactly once. */
  readonly edits: readonly { readonly find: string; readonly replace: string }[];
  /** The test that catches it: its file beside this folder, and a part of its title. */
  readonly caughtBy: { readonly file: string; readonly title: string };
  /** True for the few that the short run plants. */
  readonly isQuick?: boolean;
}
