import { ProblemError } from '@sbox/core';
import { writeSubscription, writtenFormats } from '@sbox/formats';
import { arg, text, type Call } from '../command.ts';
import { parseSource, summarise } from '../local/parse-source.ts';
import { readSource } from '../read-source.ts';
import { deliver } from './generate.ts';

/** Writes the nodes of a source in another form; what that form cannot carry is said. */
export const convert = async (call: Call): Promise<number> => {
  const { out, host } = call;
  const to = writtenFormats.find((format) => format === text(call, 'to'));
  if (to === undefined)
    throw new ProblemError('command.usage', `--to is one of ${writtenFormats.join(', ')}`, {
      fix: `sboxmgr convert ${arg(call, 0)} --to clash`,
    });
  const parsed = parseSource(await readSource(arg(call, 0), host, { userAgent: text(call, 'userAgent') }));
  out.talk(`read ${summarise(parsed)}`);
  for (const { line, reason } of parsed.rejected) out.talk(`rejected line ${line}: ${reason}`);
  const written = writeSubscription(parsed.nodes, to);
  for (const { tag, reason } of written.left_out) out.talk(`left out ${tag}: ${reason}`);
  for (const { tag, fields } of written.warnings) out.talk(`note: ${tag} is written without ${fields.join(', ')}`);
  const count = parsed.nodes.length - written.left_out.length;
  if (count === 0)
    throw new ProblemError('node.unsupported', `none of ${parsed.nodes.length} nodes can be written as ${to}`, {
      fix: `Another form: --to ${writtenFormats.filter((format) => format !== to).join(' or ')}`,
    });
  await deliver(written.text.endsWith('\n') ? written.text : `${written.text}\n`, call);
  out.talk(`wrote ${count} of ${parsed.nodes.length} nodes as ${to}`);
  return written.left_out.length === 0 ? 0 : 9;
};
