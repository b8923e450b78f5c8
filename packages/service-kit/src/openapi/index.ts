export { type ApiDocumentOptions, withApiDocument } from './api-document.ts';
export { docsPage } from './docs-page.ts';
