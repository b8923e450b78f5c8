/** A program for tests: says that it has started, and waits for its parent's end. */
process.once('disconnect', () => process.exit(0));
process.send?.('started');
