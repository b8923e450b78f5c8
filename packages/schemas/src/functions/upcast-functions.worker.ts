/** The thread of upcasters that are functions: others wrote them, and a call may take tens of milliseconds. */
import { serveJobs } from '@allsource/service-kit/threads';
import { type FunctionCall, LoadedFunctions } from './loaded-functions.ts';

const functions = new LoadedFunctions();

serveJobs((call: FunctionCall) => functions.call(call));
