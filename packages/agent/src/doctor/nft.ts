import { prefixOf } from '../reload/redirects.ts';
import { findObstacle, parseRuleset, type Chain } from '../reload/ruleset.ts';
import { servedBy } from '../state/slots.ts';
import { ok, warning, type Check, type Finding } from './check.ts';
import { ownAddresses } from './ports.ts';
import type { Scene } from './scene.ts';

const otherwise = 'a take-over ends the connections that are open (overlap or in place)';

/** Whether a take-over can move connections by nftables, and whether somebody else's rules stand in the way. */
export const nftCheck: Check = {
  name: 'nft',
  limitMs: 10_000,
  look: async (scene) => {
    const { swap } = scene.settings.apply as { readonly swap?: string };
    if (swap === 'off') return ok(`not wanted (apply.swap is off): ${otherwise}`);
    const listed = await scene.run('nft', ['-t', 'list', 'ruleset']).catch(() => undefined);
    if (listed === undefined) return warning(`nft is not installed: ${otherwise}`, 'apt-get install nftables');
    if (listed.code !== 0) {
      const words = listed.stderr.trim().split('\n')[0] ?? '';
      return warning(
        `nft may not be used here: ${otherwise} (${words})`,
        'Run the command as root; give the service CAP_NET_ADMIN in CapabilityBoundingSet= and AmbientCapabilities= (systemctl edit sboxagent).',
      );
    }
    const chains = parseRuleset(listed.stdout);
    const ports = (await scene.state()).current.flatMap(servedBy);
    const obstacle = findObstacle(chains, ports, ownAddresses());
    return [
      obstacle === undefined
        ? ok('allowed: a take-over by swap is possible')
        : warning(`${obstacle}: ${otherwise}`, 'See it: nft list ruleset; take it out where it is not meant.'),
      ...judgeOwnTables(chains, scene),
    ];
  },
};

/** Those of this state directory; what other agents of the machine made is theirs. */
function judgeOwnTables(chains: readonly Chain[], scene: Scene): Finding[] {
  const tables = [...new Set(chains.map(({ table }) => table))];
  const prefix = prefixOf(scene.stateDir);
  const own = tables.filter((table) => table.split(' ')[1]?.startsWith(prefix));
  if (own.length === 0) return [];
  if (scene.engines().length > 0) return [ok(`in use: table ${own.join(', ')}`)];
  return [
    warning(
      `table ${own.join(', ')} is left over: no engine runs that it could redirect to`,
      'sboxagent rescue --remove-redirects --yes',
    ),
  ];
}
