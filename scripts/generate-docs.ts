// Writes docs/reference, docs/man, docs/formats and docs/templates from the code that they describe. With --check it writes nothing and fails when a page is stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { problemTable } from '../packages/core/src/index.ts';
import { agentSettingsSchema } from '../packages/agent/src/settings/schema.ts';
import { version } from '../packages/cli/src/version.ts';
import { capabilitiesPage } from '../packages/engines/src/sing-box/render.ts';
import { settingsSchema } from '../packages/manager/src/settings.ts';
import { asyncapi } from '../packages/protocol/src/asyncapi.ts';
import {
  agentRoutes,
  localRoutes,
  operatorContract,
  permissionNames,
  describeReach,
  permissions,
  roleNames,
  roles,
  routesOf,
} from '../packages/protocol/src/index.ts';
import { openapi, openapi30 } from '../packages/protocol/src/openapi.ts';
import * as z from 'zod/mini';
import { commandPages } from './docs-commands.ts';
import { exitCodes } from './docs-exit-codes.ts';
import { formatPages } from './docs-formats.ts';
import { operatorPages } from './docs-operators.ts';
import { templatePages } from './docs-templates.ts';

const root = path.join(import.meta.dirname, '..');
const isCheck = process.argv.includes('--check');
const head = (title: string): string =>
  `# ${title}\n\nMade by \`node scripts/generate-docs.ts\` from the code; do not edit.\n`;
const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function errorsPage(): string {
  const rows = Object.entries(problemTable)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(
      ([code, { title, status, exit, fix }]) => `| \`${code}\` | ${status} | ${exit} | ${cell(title)} | ${cell(fix)} |`,
    );
  return [
    head('Problem codes'),
    'Every expected failure has one of these codes, the same in the API (`application/problem+json`), on the command',
    'line, in logs and in what agents report. Codes never change their meaning.',
    '',
    `Exit codes of the commands: ${exitCodes.map(([code, what]) => `${code} ${what}`).join(', ')}.`,
    '',
    '| code | HTTP | exit | what | what to do |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

interface Shape {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly default?: unknown;
}

function settingsPage(title: string, prefix: string, schema: z.ZodMiniType): string {
  const kind = ({ type, enum: words, anyOf }: Shape): string => {
    if (words) return words.map((word) => `\`${String(word)}\``).join(', ');
    return anyOf ? [...new Set(anyOf.map(kind))].join(' or ') : String(type ?? 'any');
  };
  const rows = (shape: Shape, at: string): string[] =>
    Object.entries(shape.properties ?? {}).flatMap(([name, inner]) => {
      const key = at ? `${at}.${name}` : name;
      if (inner.properties) return rows(inner, key);
      const preset = inner.default === undefined ? '' : `\`${JSON.stringify(inner.default)}\``;
      const variable = `${prefix}_${key.replaceAll('.', '_').toUpperCase()}`;
      return [
        `| \`${key}\` | ${cell(kind(inner))} | ${cell(preset)} | ${cell(inner.description ?? '')} | \`${variable}\` |`,
      ];
    });
  return [
    head(title),
    'A flag wins over the environment, the environment over the file, the file over the default. Durations are written',
    'like `30s`, `5m`, `7d`.',
    '',
    '| key | type | default | what | environment |',
    '|---|---|---|---|---|',
    ...rows(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape, ''),
    '',
  ].join('\n');
}

function permissionsPage(): string {
  const rows = Object.entries(permissions).map(([name, what]) => `| \`${name}\` | ${cell(what)} |`);
  const columns = (words: readonly string[]): string => `| ${words.join(' | ')} |`;
  const matrix = permissionNames.map((permission) =>
    columns([
      `\`${permission}\``,
      ...roleNames.map((role) => ((roles[role].permissions as readonly string[]).includes(permission) ? 'x' : '')),
    ]),
  );
  const roleRows = roleNames.map((role) => `| \`${role}\` | ${cell(roles[role].description)} |`);
  const routes = routesOf(operatorContract);
  const uses = [...permissionNames, 'self', 'public'].map((permission) => {
    const ids = routes.filter((route) => route.permission === permission).map(({ id }) => `\`${id}\``);
    return `| \`${permission}\` | ${ids.join(', ')} |`;
  });
  const held = routes
    .filter(({ permission }) => permission !== 'public')
    .map((route) => columns([`\`${route.id}\``, `\`${route.permission}\``, cell(describeReach(route))]));
  return [
    head('Permissions'),
    'Every operation of the API needs one permission. People have a role; a token has a role or a list of permissions.',
    'Nobody gives what they do not hold.',
    '',
    '| permission | opens |',
    '|---|---|',
    ...rows,
    '',
    '## Roles',
    '',
    '| role | what |',
    '|---|---|',
    ...roleRows,
    '',
    columns(['permission', ...roleNames.map((role) => `\`${role}\``)]),
    `|---|${':-:|'.repeat(roleNames.length)}`,
    ...matrix,
    '',
    '## Operations',
    '',
    'A test asks every operation with a token of every role, and without one. `self` is open to everybody who is known,',
    '`public` to everybody.',
    '',
    '| permission | operations |',
    '|---|---|',
    ...uses,
    '',
    '## Bounds',
    '',
    'Users and tokens may be held to projects, and to servers with certain labels ([guide](../guide/bounds.md)). What that',
    'means for each operation; a test asks every one of them as a caller with bounds, with what is outside and with what is',
    'not there at all.',
    '',
    '| operation | permission | with bounds |',
    '|---|---|---|',
    ...held,
    '',
  ].join('\n');
}

const managerApi = openapi(
  { ...operatorContract, agents: agentRoutes },
  {
    title: 'sbox manager',
    version,
    description:
      'Subscriptions, configs, servers and deployments. Errors are problem documents (RFC 9457) with a stable code.',
  },
);
const agentApi = openapi(localRoutes, {
  title: 'sbox agent',
  version,
  description: 'The own API of an agent, on a socket file or on loopback.',
});

const enginesPage = (): string => `${head('What engines can run')}\n${capabilitiesPage()}`;

const pages: Readonly<Record<string, string>> = {
  'errors.md': errorsPage(),
  'permissions.md': permissionsPage(),
  'engine-capabilities.md': enginesPage(),
  'manager-settings.md': settingsPage('Settings of the manager', 'SBOXMGR', settingsSchema),
  'agent-settings.md': settingsPage('Settings of the agent', 'SBOXAGENT', agentSettingsSchema),
  'manager-openapi.json': json(managerApi),
  'manager-openapi-3.0.json': json(openapi30(managerApi)),
  'agent-openapi.json': json(agentApi),
  'manager-asyncapi.json': json(
    asyncapi({
      title: 'sbox manager',
      version,
      description: 'Frames of the socket that agents keep open, and the events of a manager.',
    }),
  ),
};

const inFolder = (folder: string, texts: Readonly<Record<string, string>>): (readonly [string, string])[] =>
  Object.entries(texts).map(([name, text]) => [`docs/${folder}/${name}`, text] as const);

const stale = [
  ...inFolder('reference', pages),
  ...Object.entries(commandPages()).map(([name, text]) => [`docs/${name}`, text] as const),
  ...inFolder('formats', formatPages()),
  ...inFolder('operators', operatorPages()),
  ...inFolder('templates', templatePages()),
].filter(([name, text]) => {
  try {
    return readFileSync(path.join(root, name), 'utf8') !== text;
  } catch {
    return true;
  }
});
for (const [name, text] of stale) {
  if (isCheck) {
    console.error(`${name} is stale: node scripts/generate-docs.ts`);
    continue;
  }
  mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  writeFileSync(path.join(root, name), text);
  console.error(`wrote ${name}`);
}
process.exitCode = isCheck && stale.length > 0 ? 1 : 0;
