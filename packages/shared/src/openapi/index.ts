export {
  type DocumentOptions,
  openApiDocument,
  type OpenApiDocument,
  openApiPath,
  openApiSteps,
} from './document.ts';
export { type DocumentedRoute, routeDocFinder } from './find-route-doc.ts';
export * from './json-schema.ts';
export { PATH_PARAMETERS, parameter, required } from './parameters.ts';
export {
  answer,
  type AnswerDoc,
  body,
  type BodyDoc,
  type ContentDoc,
  type ParameterDoc,
  type RouteDoc,
  type RouteDocs,
  type Tag,
} from './route-doc.ts';
export { CONTROL_PLANE_DOCS, CORE_DOCS, QUERY_DOCS } from './services.ts';
export { NOT_AVAILABLE_DOC } from './unavailable.ts';
