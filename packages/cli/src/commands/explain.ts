import { isProblemCode, ProblemError, problemRow, problemTable } from '@sbox/core';
import { arg, type Call } from '../command.ts';

export const explain = async (call: Call): Promise<void> => {
  const code = arg(call, 0);
  if (!isProblemCode(code)) {
    const near = Object.keys(problemTable).filter((known) => known.startsWith(`${code.split('.')[0] ?? ''}.`));
    throw new ProblemError('command.usage', `${code} is no problem code`, {
      fix: near.length > 0 ? `one of ${near.join(', ')}` : 'docs/reference/errors.md lists them all',
    });
  }
  const { title, fix, status, exit } = problemRow(code);
  await call.out.thing(
    { code, title, fix, status, exit },
    () => `${code}: ${title}\nfix: ${fix}\nHTTP status ${status}, exit code ${exit}`,
  );
};
