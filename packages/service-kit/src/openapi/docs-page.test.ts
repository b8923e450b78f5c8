import { describe, expect, it } from '@jest/globals';
import { atOnce } from '@allsource/shared/lang';
import { answer, openApiDocument, object, text } from '@allsource/shared/openapi';
import { docsPageSteps } from './docs-page.ts';

const HOSTILE = '<script>alert("x")</script>';

describe('the page of a document', () => {
  it('shows what the document says as text, whatever it is', () => {
    const doc = {
      id: 'hostile',
      tag: 'Events',
      description: HOSTILE,
      query: { q: { description: HOSTILE, schema: text(HOSTILE) } },
      answers: { 200: answer(HOSTILE, object({ [HOSTILE]: text(HOSTILE) }), HOSTILE) },
    } as const;
    const route = { method: 'GET', path: `/${HOSTILE}`, needs: 'public', summary: HOSTILE, doc };
    const document = openApiDocument({
      title: HOSTILE,
      description: HOSTILE,
      version: HOSTILE,
      edge: 'core',
      routes: [route],
      docs: {},
    });
    const { html } = atOnce(docsPageSteps(document));
    expect(html).not.toContain('<script');
    expect(html.split('&lt;script&gt;').length).toBeGreaterThan(10);
  });
});
