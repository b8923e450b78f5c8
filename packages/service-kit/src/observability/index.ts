export { HttpMetrics } from './http-metrics.ts';
export { createLogger, type Logger } from './logger.ts';
