import { createHash } from 'node:crypto';

const machines: Readonly<Record<string, number>> = { x64: 0x3e, arm64: 0xb7 };

export interface ProgramShape {
  readonly version?: string;
  readonly arch?: string;
  readonly tags?: string;
  readonly os?: string;
  readonly module?: string;
  /** Makes it another program of the same version. */
  readonly salt?: string;
  readonly size?: number;
}

const text = (content: string): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(bytes.length & 0x7f) | 0x80, bytes.length >> 7]), bytes]);
};

/** What the manager reads of a program: the head of an ELF file, and somewhere behind it what Go writes down of a build. */
export function engineProgram({
  version = '1.14.4',
  arch = 'x64',
  tags = 'with_quic,with_clash_api',
  os = 'linux',
  module = 'github.com/sagernet/sing-box',
  salt = '',
  size = 3 * 1024 * 1024,
}: ProgramShape = {}): { bytes: Buffer; digest: string } {
  const bytes = Buffer.alloc(size, salt);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(machines[arch] ?? 0xffff, 18);
  const info = Buffer.concat([
    Buffer.from([0xff, ...Buffer.from(' Go buildinf:'), 8, 2, ...Array<number>(16).fill(0)]),
    text('go1.27.0'),
    text(`path\tx\nmod\t${module}\tv${version}\t\nbuild\t-tags=${tags}\nbuild\tGOOS=${os}\nbuild\tGOARCH=x\n`),
  ]);
  // The same words stand in the code that looks for them; there they are not at a multiple of 16.
  info.copy(bytes, 1000 * 1000 + 3, 0, 20);
  // Over the border of two reads.
  info.copy(bytes, 1024 * 1024 - 16 + (size > 2 * 1024 * 1024 ? 0 : 16));
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}
