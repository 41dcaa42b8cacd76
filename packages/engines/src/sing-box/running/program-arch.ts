/** `e_machine` of the ELF header, as Node calls it (System V ABI, gABI 4.1, "ELF Header"). */
const machines: Readonly<Record<number, string>> = {
  0x03: 'ia32',
  0x28: 'arm',
  0x3e: 'x64',
  0xb7: 'arm64',
  0xf3: 'riscv64',
};

export const programHeadBytes = 20;

/** For which machines a program was built; undefined when it is no ELF file, or of a kind that is not known here. */
export function programArch(head: Uint8Array): string | undefined {
  const isElf =
    head.length >= programHeadBytes && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
  if (!isElf) return undefined;
  const isBigEndian = head[5] === 2;
  const [low = 0, high = 0] = isBigEndian ? [head[19], head[18]] : [head[18], head[19]];
  return machines[low + high * 256];
}
