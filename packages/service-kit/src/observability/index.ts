export { type AddGauge, gaugesOf } from './gauges-of.ts';
export { HttpMetrics } from './http-metrics.ts';
export { createLogger, type Logger } from './logger.ts';
