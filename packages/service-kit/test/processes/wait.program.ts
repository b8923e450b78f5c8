/** A program for tests: waits for its parent's end. */
process.once('disconnect', () => process.exit(0));
