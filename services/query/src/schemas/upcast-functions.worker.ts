/** The thread of upcasters that are functions: others wrote them, and a call may take tens of milliseconds. */
import { type FunctionCall, LoadedFunctions } from '@allsource/schemas/functions';
import { serveJobs } from '@allsource/service-kit/threads';

const functions = new LoadedFunctions();

serveJobs((call: FunctionCall) => functions.call(call));
