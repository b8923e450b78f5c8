export { UpcastThread } from './upcast-thread.ts';
