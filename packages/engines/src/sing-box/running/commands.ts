/** What `sing-box version` says about a build. */
export interface EngineVersion {
  readonly version: string;
  readonly tags: readonly string[];
}

/** Reads the output of `sing-box version`; undefined when some other program answered. */
export function parseVersion(stdout: string): { version: string; tags: string[] } | undefined {
  const version = /^sing-box version (\S+)/m.exec(stdout)?.[1];
  if (version === undefined) return undefined;
  const tags = /^Tags: *(.*)$/m.exec(stdout)?.[1] ?? '';
  return {
    version,
    tags: tags
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean),
  };
}

/** Arguments for the program; who runs it chooses the file. */
export interface EngineCommand {
  readonly args: readonly string[];
}

/** What the engine said against a configuration. */
export interface EngineComplaint {
  readonly message: string;
  /** Place in the configuration, e.g. `outbounds[3].server_port`; only where the engine names one. */
  readonly path?: string;
}

// The escape character starts the colours that sing-box writes even into files.
// oxlint-disable-next-line no-control-regex
const colour = /\u001B\[[0-9;]*m/g;
const complaint =
  /^(?:FATAL|ERROR)\[\d+\] (?:decode config at .+?: )?(?:([a-z_]+(?:\[\d+\])?(?:\.[\w$]+(?:\[\d+\])?)*): )?(.*)$/;
const indexed = /^initialize (inbound|outbound|endpoint|service|rule-set)\[(\d+)\]: /;
const listNames: Readonly<Record<string, string>> = {
  inbound: 'inbounds',
  outbound: 'outbounds',
  endpoint: 'endpoints',
  service: 'services',
  'rule-set': 'route.rule_set',
};

/** Text without colours, as it belongs into a message or a log. */
export const plainText = (text: string): string => text.replace(colour, '');

/**
 * The reason in the output of `check` or of an engine that exited: the last FATAL line, else a panic, else the last ERROR line, else
 * the last line at all. Deprecations come as ERROR followed by FATAL, and the FATAL line has the way out.
 */
export function parseCheckOutput(stderr: string): EngineComplaint {
  const lines = plainText(stderr)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
  const line =
    lines.findLast((text) => text.includes('FATAL[')) ??
    lines.find((text) => text.startsWith('panic: ')) ??
    lines.findLast((text) => text.includes('ERROR[')) ??
    lines.at(-1);
  if (line === undefined) return { message: 'the engine said nothing' };
  // A log with timestamps has the time before the level.
  const found = complaint.exec(line.replace(/^.*?(?=(?:FATAL|ERROR)\[)/, ''));
  if (found === null) return { message: line };
  const [, path, message = ''] = found;
  if (path !== undefined) return { message, path };
  const [, list = '', index] = indexed.exec(message) ?? [];
  return list === '' ? { message } : { message, path: `${listNames[list] ?? list}[${index}]` };
}

/** sing-box as a program. */
export const singBox = {
  engine: 'sing-box',
  /** The control API is how the agent knows that the new configuration serves. */
  requiredTags: ['with_clash_api'],
  versionCommand: (): EngineCommand => ({ args: ['version'] }),
  checkCommand: (file: string): EngineCommand => ({ args: ['check', '--disable-color', '-c', file] }),
  /** `dir` is the working directory, where relative paths of the configuration begin. */
  runCommand: (file: string, dir: string): EngineCommand => ({
    args: ['run', '--disable-color', '-c', file, '-D', dir],
  }),
  parseVersion,
  parseCheckOutput,
  /** Answers `{"version":"sing-box 1.14.4"}` with the right secret and 401 with any other. */
  control: { path: '/version', header: (secret: string) => ({ authorization: `Bearer ${secret}` }) },
} as const;
