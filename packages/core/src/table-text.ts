/** Rows below a heading, in columns. Control characters that came from outside cannot draw on a terminal. */
export function tableText(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, ...rows.map((row) => row.map((cell) => cell.replaceAll(/\p{Cc}/gu, ' ')))];
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const inColumns = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return lines.map(inColumns).join('\n');
}
