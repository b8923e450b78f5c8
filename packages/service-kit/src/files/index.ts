export { filesIn, makeFolder, syncFolder } from './folders.ts';
