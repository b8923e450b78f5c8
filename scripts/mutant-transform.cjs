/**
 * A jest transformer that plants a fault in one source file before it is compiled: the text of each edit, which must occur exactly once, is replaced. The test of the tests (R23) runs on it; the files on
 * the disk stay as they are.
 */
const { createTransformer } = require('@swc/jest');

/** @param {{ swc: object, mutant: { file: string, edits: { find: string, replace: string }[] } | null }} options */
function createMutantTransformer({ swc, mutant }) {
  const inner = createTransformer(swc);
  const planted = (source, path) =>
    mutant !== null && path.endsWith(mutant.file) ? plant(source, mutant.edits) : source;
  return {
    ...inner,
    process: (source, path, options) => inner.process(planted(source, path), path, options),
    processAsync: (source, path, options) =>
      inner.processAsync(planted(source, path), path, options),
  };
}

function plant(source, edits) {
  return edits.reduce((text, { find, replace }) => {
    const parts = text.split(find);
    if (parts.length !== 2)
      throw new Error(`the text to change occurs ${parts.length - 1} times: ${find}`);
    return parts.join(replace);
  }, source);
}

module.exports = { createTransformer: createMutantTransformer };
