import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';
import { checkReferences } from '@sbox/engines/sing-box/render';
import { arg, text, type Call } from '../command.ts';
import { readText } from '../connection.ts';
import { checkText, findEngine } from '../engine.ts';

export const check = async (call: Call): Promise<number> => {
  const file = path.resolve(call.host.cwd, arg(call, 0));
  const content = await readText(file);
  // Comments and trailing commas are legal for the engine; then only the engine can look at the references.
  const findings = checkReferences(parseStrictly(file, content));
  const engine = await findEngine(text(call, 'engine'), call.host);
  const complaint = await checkText(engine, content);
  const ok = findings.length === 0 && complaint === undefined;
  const lines = [
    ...findings.map(({ path: at, message }) => `✗ ${at}: ${message}`),
    complaint
      ? `✗ sing-box ${engine.version}: ${complaint.path === undefined ? '' : `${complaint.path}: `}${complaint.message}`
      : `✔ sing-box ${engine.version}`,
  ];
  await call.out.thing(
    { ok, findings, engine: { path: engine.path, version: engine.version, complaint: complaint ?? null } },
    () => lines.join('\n'),
  );
  return ok ? 0 : 7;
};

function parseStrictly(file: string, content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch (error) {
    if (/^\s*(\/\/|#)/m.test(content)) return {};
    throw new ProblemError('config.invalid', `${file} is not JSON: ${messageOf(error)}`, {
      cause: error,
      fix: 'Mend it at that place; a subscription is looked at with: sboxmgr inspect FILE',
    });
  }
}
