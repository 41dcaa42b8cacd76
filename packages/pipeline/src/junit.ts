import type { ConfigTestResult } from './config-tests.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // Written as they are, a reader makes spaces of them.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Characters that XML 1.0 has no way to write, or none that is safe. */
const unwritable = /(?![\t\n\r])\p{Cc}|\p{Cs}|[\uFFFE\uFFFF]/gu;

const escape = (text: string): string =>
  text.replace(unwritable, '?').replace(/[&<>"'\t\n\r]/g, (one) => entities[one] ?? one);

/** Results as JUnit's XML, the form that CI services read (the Ant task's `testsuites`). */
export function toJUnit(results: readonly Pick<ConfigTestResult, 'name' | 'ok' | 'detail'>[], name: string): string {
  const failures = results.filter(({ ok }) => !ok).length;
  const counts = `tests="${results.length}" failures="${failures}"`;
  const cases = results.map(({ name: test, ok, detail }) => {
    const open = `    <testcase classname="${escape(name)}" name="${escape(test)}"`;
    return ok ? `${open}/>` : `${open}>\n      <failure message="${escape(detail)}"/>\n    </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="${escape(name)}" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}
