import { Html } from './html.ts';

/** The style sheet of the page at /docs. */
export const PAGE_STYLE = new Html(`
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1 small{font-weight:400;opacity:.6}
h2{border-bottom:1px solid;margin-top:2.5rem}
nav{position:sticky;top:0;padding:.5rem 0;background:Canvas}
nav a{margin-right:.5rem}
details{border:1px solid color-mix(in srgb,CanvasText 20%,transparent);border-radius:.4rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}
summary b{display:inline-block;min-width:4.2rem}
.get{color:#2a7d2a}.post{color:#2563c9}.put,.patch{color:#a15c00}.delete{color:#c22}
code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:color-mix(in srgb,CanvasText 7%,transparent);border-radius:.4rem;overflow:auto;padding:.6rem .8rem}
pre i{opacity:.65}
table{border-collapse:collapse;width:100%}
td{border-top:1px solid color-mix(in srgb,CanvasText 15%,transparent);padding:.3rem .6rem .3rem 0;vertical-align:top}
`);
