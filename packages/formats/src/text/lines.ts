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
  let seen = 0;
  return (offset) => {
    for (let at = text.indexOf('\n', seen); at >= 0 && at < offset; at = text.indexOf('\n', seen)) {
      line += 1;
      seen = at + 1;
    }
    return line;
  };
}
