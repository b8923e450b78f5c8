export { canonicalJson } from './canonical-json.ts';
export { decodeJsonString, JsonScanner, JsonSyntaxError } from './json-scanner.ts';
export { invalidUtf8At } from './invalid-utf8.ts';
export { wholeNumberOf } from './whole-number.ts';
export { formatRawMembers, rawMembers, visitRawMembers } from './raw-members.ts';
