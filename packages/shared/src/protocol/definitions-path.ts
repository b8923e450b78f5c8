/**
 * Where core takes definitions from the query service, which has checked them:
 *
 *     PUT    /internal/v1/definitions/<kind>/<tenant>/<name>?expected_position=P    body: the document, a JSON object
 *     DELETE /internal/v1/definitions/<kind>/<tenant>/<name>?expected_position=P
 *
 * Both answer `{"position": N}`, the position of the change. P is the position of the last change that the caller knows of; 0: there is none.
 */
export const DEFINITIONS_PATH = '/internal/v1/definitions';
