import { markup, raw, type Markup } from './markup.ts';
import { schemaText } from './schema-text.ts';

type Json = Readonly<Record<string, unknown>>;

/** What the page reads of an OpenAPI document; the document is our own. */
interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly summary: string;
  readonly 'x-permission': string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Body>> };
  readonly responses: Readonly<Record<string, Answer>>;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Json;
  readonly example?: string;
}
interface Body {
  readonly schema: Json;
  readonly example?: unknown;
}
interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, Body>>;
}
interface Entry extends Operation {
  readonly path: string;
  readonly method: string;
}

export const referenceStyle = `
:root{color-scheme:light dark;--ink:light-dark(#1b1f24,#e6e8eb);--soft:light-dark(#57606a,#9aa4af);--paper:light-dark(#fff,#14171a);--box:light-dark(#f4f6f8,#1d2126);--line:light-dark(#d8dee4,#32383f);--mark:light-dark(#0a5fb4,#6cb2ff)}
body{margin:0 auto;padding:1.5rem;max-width:60rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
a{color:var(--mark)}code,pre{font:13px/1.5 ui-monospace,monospace}
pre{background:var(--box);padding:.75rem;border-radius:6px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
nav ul{columns:16rem;padding-left:1rem}article{border-top:1px solid var(--line);padding:.5rem 0 1rem}
h3{font-size:1rem;margin:.75rem 0 .25rem;overflow-wrap:anywhere}h4{font-size:.875rem;margin:1rem 0 .25rem;color:var(--soft)}
.method{color:var(--mark);text-transform:uppercase;margin-right:.5rem}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);padding:.25rem .5rem .25rem 0;text-align:left;vertical-align:top}
td{overflow-wrap:anywhere}.lines{white-space:pre-line}
`;

/** The whole reference as one page: no script, nothing fetched from elsewhere. */
export function referencePage(document: Json): string {
  const { title, version, description } = document['info'] as Record<string, string>;
  const schemas = (document['components'] as { schemas: Record<string, Json> }).schemas;
  const show = createSchemaPrinter(Object.keys(schemas));
  const byTag = Map.groupBy(entriesOf(document), ({ tags }) => tags[0] ?? '');
  const page = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} API</title>
        <style>${raw(referenceStyle)}</style>
      </head>
      <body>
        <h1>${title} API <span class="soft">${version}</span></h1>
        <p>${description} For programs: <a href="/openapi.json">OpenAPI 3.1</a>,
          <a href="/openapi-3.0.json">OpenAPI 3.0</a>, <a href="/asyncapi.json">AsyncAPI</a>.</p>
        <nav>${[...byTag].map(contents)}</nav>
        <main>
          ${[...byTag].map(([tag, entries]) => markup`<h2 id="${tag}">${tag}</h2>${entries.map((entry) => article(entry, show))}`)}
          <h2 id="schemas">schemas</h2>
          ${Object.entries(schemas).map(([name, schema]) => schemaArticle(name, schema, show))}
        </main>
      </body>
    </html>`;
  return page.html;
}

type Show = (schema: Json) => Markup;

/** Types in short, each name of a schema a link to its article. */
function createSchemaPrinter(names: readonly string[]): Show {
  const pattern = new RegExp(`\\b(${names.join('|')})\\b`);
  return (schema) =>
    markup`${schemaText(schema)
      .split(pattern)
      .map((part, index) => (index % 2 === 1 ? markup`<a href="#schema-${part}">${part}</a>` : part))}`;
}

/** Words between backticks are code. */
const prose = (text: string): Markup =>
  markup`${text.split('`').map((part, index) => (index % 2 === 1 ? markup`<code>${part}</code>` : part))}`;

const entriesOf = (document: Json): readonly Entry[] =>
  Object.entries(document['paths'] as Record<string, Record<string, Operation>>).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ ...operation, path, method })),
  );

const contents = ([tag, entries]: readonly [string, readonly Entry[]]): Markup =>
  markup`<h2><a href="#${tag}">${tag}</a></h2>
    <ul>${entries.map(({ operationId, summary }) => markup`<li><a href="#${operationId}">${summary}</a></li>`)}</ul>`;

const article = (entry: Entry, show: Show): Markup =>
  markup`<article id="${entry.operationId}">
    <h3><code><span class="method">${entry.method}</span>${entry.path}</code></h3>
    <p>${prose(entry.summary)}.</p>
    <p class="soft">${permissionText(entry['x-permission'])}</p>
    ${entry.parameters.length > 0 ? parameterTable(entry.parameters, show) : undefined}
    ${Object.entries(entry.requestBody?.content ?? {}).map(([type, { schema }]) => bodySection(type, schema, show))}
    <h4>Answers</h4>
    <table>${Object.entries(entry.responses).map(([status, answer]) => answerRow(status, answer, show))}</table>
    ${entry['x-permission'] === 'agent' ? undefined : markup`<h4>Example</h4><pre>${curl(entry)}</pre>`}
  </article>`;

function permissionText(permission: string): Markup {
  if (permission === 'public') return markup`Open to all`;
  if (permission === 'agent') return markup`For agents: signed with the key of a server (RFC 9421)`;
  return markup`Permission <code>${permission}</code>`;
}

const parameterTable = (parameters: readonly Parameter[], show: Show): Markup =>
  markup`<h4>Parameters</h4>
    <table>${parameters.map(
      ({ name, in: place, required, schema }) =>
        markup`<tr><td><code>${name}</code></td><td>${place}${required ? ', required' : ''}</td>
          <td><code>${show(schema)}</code></td></tr>`,
    )}</table>`;

const bodySection = (type: string, schema: Json, show: Show): Markup =>
  markup`<h4>Body <span class="soft">${type}</span></h4><pre>${show(schema)}</pre>`;

const answerRow = (status: string, { description, content }: Answer, show: Show): Markup =>
  markup`<tr><th>${status}</th><td class="lines">${prose(description)}${Object.entries(content ?? {}).map(
    ([type, { schema }]) => markup`
<code>${type}: ${show(schema)}</code>`,
  )}</td></tr>`;

const schemaArticle = (name: string, schema: Json, show: Show): Markup =>
  markup`<article id="schema-${name}"><h3><code>${name}</code></h3>
    <p>${prose((schema['description'] as string | undefined) ?? '')}</p><pre>${show(schema)}</pre></article>`;

/** The example as a command; what varies between installations comes from the environment. */
function curl({ method, path, parameters, requestBody, 'x-permission': permission }: Entry): string {
  const exampleOf = (parameter: Parameter | undefined): string => parameter?.example ?? '';
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    exampleOf(parameters.find((parameter) => parameter.in === 'path' && parameter.name === name)),
  );
  const headers = parameters
    .filter((parameter) => parameter.in === 'header' && parameter.example !== undefined)
    .map((parameter) => `-H ${quote(`${parameter.name}: ${exampleOf(parameter)}`)}`);
  const [type, body] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const parts = [
    `curl -X ${method.toUpperCase()} "$SBOXMGR_URL"${quote(filled)}`,
    ...(permission === 'public' ? [] : ['-H "Authorization: Bearer $(cat "$SBOXMGR_TOKEN_FILE")"']),
    ...headers,
    ...(type === undefined ? [] : [`-H ${quote(`content-type: ${type}`)}`]),
    ...(body?.example === undefined ? [] : [`-d ${quote(JSON.stringify(body.example))}`]),
  ];
  return parts.join(' \\\n  ');
}

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
