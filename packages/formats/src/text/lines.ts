/** Calls back with each line and its 1-based number; CRLF, LF and CR all end a line. */
export function forEachLine(text: string, visit: (line: string, number: number) => void): void {
  const unix = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  let number = 1;
  for (let start = 0; start <= unix.length; number += 1) {
    const newline = unix.indexOf('\n', start);
    const end = newline < 0 ? unix.length : newline;
    visit(unix.slice(start, end), number);
    start = end + 1;
  }
}

/** Turns offsets into 1-based line numbers; the offsets must not go back. */
export function createLineCounter(text: string): (offset: number) => number {
  let line = 1;
  // Found once and kept: a long text on one line must not be searched again for each offset.
  let end = text.indexOf('\n');
  return (offset) => {
    for (; end >= 0 && end < offset; end = text.indexOf('\n', end + 1)) line += 1;
    return line;
  };
}
