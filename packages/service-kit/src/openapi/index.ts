export { type ApiDocumentOptions, withApiDocument } from './api-document.ts';
