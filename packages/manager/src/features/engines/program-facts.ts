import { programArch } from '@sbox/engines/sing-box/run';

/** What a program says of itself without being run. */
export interface ProgramFacts {
  /** As Node says it; undefined for a machine that is not known here. */
  readonly arch: string | undefined;
  /** Of the main module; undefined for one that was built from a checkout. */
  readonly version: string | undefined;
  /** Undefined where nothing is said of them. */
  readonly tags: readonly string[] | undefined;
  readonly os: string | undefined;
  /** Of the main module: `github.com/sagernet/sing-box`. */
  readonly module: string | undefined;
}

/** "\xff Go buildinf:" */
export const buildInfoMagic = Buffer.from([0xff, ...Buffer.from(' Go buildinf:')]);
/** The list of a program's modules has some 10 kB. */
export const buildInfoBytes = 256 * 1024;

const headerBytes = 32;
const inlineFlag = 2;

/**
 * From the head of an ELF file and its build information (Go, debug/buildinfo: since 1.18 a header of 32 bytes, then the
 * version of Go and the lines of modules and settings, each with its length before it as a varint).
 */
export function readProgramFacts(head: Uint8Array, buildInfo: Uint8Array | undefined): ProgramFacts {
  const lines = buildInfo === undefined ? [] : linesOf(Buffer.from(buildInfo));
  const [, module, version = ''] = lines.find(([word]) => word === 'mod') ?? [];
  const settings = new Map(
    lines.flatMap(([word, setting = '']) => {
      const at = setting.indexOf('=');
      return word === 'build' && at > 0 ? [[setting.slice(0, at), setting.slice(at + 1)] as const] : [];
    }),
  );
  return {
    arch: programArch(head),
    version: /^v(\d+\.\d+\.\d+(?:-[\w.]+)?)$/.exec(version)?.[1],
    tags: module === undefined ? undefined : (settings.get('-tags') ?? '').split(',').filter(Boolean),
    os: settings.get('GOOS'),
    module,
  };
}

/** Lines of the module information, cut at tabs. */
function linesOf(bytes: Buffer): string[][] {
  const isInline = ((bytes[buildInfoMagic.length + 1] ?? 0) & inlineFlag) !== 0;
  if (!isInline || !bytes.subarray(0, buildInfoMagic.length).equals(buildInfoMagic)) return [];
  const afterGo = skipText(bytes, headerBytes);
  const [length, start] = readVarint(bytes, afterGo);
  const text = bytes.subarray(start, start + length).toString('latin1');
  return text.split('\n').map((line) => line.split('\t'));
}

function skipText(bytes: Buffer, at: number): number {
  const [length, start] = readVarint(bytes, at);
  return start + length;
}

/** LEB128: its value, and where it ends. */
function readVarint(bytes: Buffer, at: number): [value: number, end: number] {
  let value = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[at + index] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return [value, at + index + 1];
  }
  return [0, bytes.length];
}
