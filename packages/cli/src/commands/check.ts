import { adviceFor, checkReferences, deprecationsIn } from '@sbox/engines/sing-box/render';
import { arg, flag, text, type Call } from '../command.ts';
import { checkText, findEngine } from '../engine.ts';
import { readConfigFile } from '../local/config-file.ts';

export const check = async (call: Call): Promise<number> => {
  const { text: content, config } = await readConfigFile(arg(call, 0), call.host);
  const engine = await findEngine(text(call, 'engine'), call.host);
  const findings = checkReferences(config);
  const deprecations = deprecationsIn(config, engine.version);
  const advice = adviceFor(config);
  const complaint = await checkText(engine, content);
  const isStrict = flag(call, 'strict') && deprecations.length + advice.length > 0;
  const ok = findings.length === 0 && complaint === undefined && !isStrict;
  const lines = [
    ...findings.map(({ path: at, message }) => `✗ ${at}: ${message}`),
    ...deprecations.map(
      ({ path: at, name, removed_in, instead, effect }) =>
        `${effect === 'fails' ? '✗' : '!'} ${at}: ${name} goes away in ${removed_in}; instead: ${instead}`,
    ),
    ...advice.map(({ path: at, message }) => `! ${at}: ${message}`),
    complaint
      ? `✗ sing-box ${engine.version}: ${complaint.path === undefined ? '' : `${complaint.path}: `}${complaint.message}`
      : `✔ sing-box ${engine.version}`,
  ];
  const about = { path: engine.path, version: engine.version, complaint: complaint ?? null };
  await call.out.thing({ ok, findings, deprecations, advice, engine: about }, () => lines.join('\n'));
  return ok ? 0 : 7;
};
