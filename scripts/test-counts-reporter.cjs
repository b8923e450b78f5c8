/** A jest reporter that leaves the totals of a run as JSON in the file that ALLSOURCE_TEST_COUNTS names. */
'use strict';

const fs = require('node:fs');

class TestCountsReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.ALLSOURCE_TEST_COUNTS;
    if (file === undefined) return;
    const counts = {
      passed: results.numPassedTests,
      // A file that could not even be loaded has no failed tests, so it counts as one.
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    fs.writeFileSync(file, JSON.stringify(counts));
  }
}

module.exports = TestCountsReporter;
