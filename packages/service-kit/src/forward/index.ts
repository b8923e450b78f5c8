export { coreErrorBody } from './core-error-body.ts';
export {
  type ErrorTranslation,
  Forwarder,
  type ForwarderOptions,
  type ForwardOutcome,
  type ForwardTarget,
  pathOfTarget,
} from './forwarder.ts';
export { gatewayErrorBody } from './gateway-error-body.ts';
export { answerHeadersBack, requestHeadersOnward } from './hop-headers.ts';
export { LiveConnections } from './live-connections.ts';
export { forwardedBy, requireFirstHop } from './one-hop.ts';
export { readErrorText } from './upstream-error.ts';
export { Upstream, type UpstreamRequest } from './upstream.ts';
