/** Where core takes appends of the services of the store themselves: `?tenant_id=`, with the body of a batch append. */
export const INTERNAL_APPEND_PATH = '/internal/v1/events/batch';
