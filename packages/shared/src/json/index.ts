export { decodeJsonString, JsonScanner, JsonSyntaxError } from './json-scanner.ts';
export { formatRawMembers, rawMembers } from './raw-members.ts';
