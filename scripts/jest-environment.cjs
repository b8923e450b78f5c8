/**
 * The environment that tests run in: jest's own for Node, on a context whose globals are quick.
 *
 * Jest makes the global object of a test file a Proxy behind V8's interceptors, to count what tests leave on it. Every `Math`, `Buffer` or `Error` in
 * the code under test then costs as much as a call or two, which is half of what loops over bytes take. A context that is not contextified has an
 * ordinary global object, as a program has.
 */
'use strict';

const vm = require('node:vm');
const { TestEnvironment } = require('jest-environment-node');

/** Enough to see who called; jest's own 100 makes each of the many errors that tests provoke dear. */
const STACK_FRAMES_MAX = 20;

/** Does something with a vm that makes contexts with an ordinary global object. Jest offers no other place to say so. */
function withPlainContexts(action) {
  const { createContext } = vm;
  vm.createContext = () => createContext(vm.constants.DONT_CONTEXTIFY);
  try {
    return action();
  } finally {
    vm.createContext = createContext;
  }
}

class QuickEnvironment extends TestEnvironment {
  constructor(config, context) {
    withPlainContexts(() => super(config, context));
    this.global.Error.stackTraceLimit = STACK_FRAMES_MAX;
  }
}

module.exports = QuickEnvironment;
