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

const { createContext } = vm;

/** Enough to see who called; jest's own 100 makes each of the many errors that tests provoke dear. */
const STACK_FRAMES_MAX = 20;

/** What `vm.createContext` is while jest makes an environment, which offers no other place to choose the kind of context. */
const createPlainContext = () => createContext(vm.constants.DONT_CONTEXTIFY);

class QuickEnvironment extends TestEnvironment {
  constructor(config, context) {
    vm.createContext = createPlainContext;
    try {
      super(config, context);
    } finally {
      vm.createContext = createContext;
    }
    this.global.Error.stackTraceLimit = STACK_FRAMES_MAX;
  }
}

module.exports = QuickEnvironment;
