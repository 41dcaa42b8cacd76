import { operatorContract, routesOf, type Route, type TransportAnswer } from '@sbox/protocol';
import { codeOfStep, decodeBase32 } from '../src/features/people/totp.ts';
import { engineProgram } from './engine-program.ts';
import { createTransport, type TestManager } from './open-manager.ts';
import { sendExample } from './send-example.ts';

/** What people would do on a first day, in this order; every operation is here once. */
export const day = [
  'getLiveness getReadiness getHealth getStatus getMetrics',
  'previewSubscription addSubscription listSubscriptions getSubscription replaceSubscription updateSubscription',
  'refreshSubscription listNodes listFetches listSubscriptionVersions diffSubscriptionVersion pinSubscription',
  'createTemplate listTemplates getTemplate replaceTemplate listTemplateVersions adoptTemplate',
  'createConfig listConfigs getConfig replaceConfig updateConfig generateConfig validateConfig',
  'listConfigVersions getConfigVersion diffConfigVersion rollbackConfig exportConfig',
  'markConfigVersion publishConfigVersion deleteConfigVersion',
  'createPolicy listPolicies getPolicy updatePolicy testPolicy deletePolicy',
  'replaceSettings updateSettings rollbackSettings listSettings getSettings listSettingVersions diffSettingVersion',
  'listSettingKeys getEffectiveSettings explainSetting',
  'createSettingOverride listSettingOverrides deleteSettingOverride deleteSettings',
  'explainConfig testConfig previewUpgrade listCapabilities addEngine listEngines deleteEngine',
  'createClient listClients getClient updateClient rotateClient explainClient getClientRules replaceClientRules',
  'getSub getSubAs listClientDevices deleteClientDevice listClientFetches deleteClient',
  'createEnvironment listEnvironments getEnvironment updateEnvironment',
  'addServer listServers getServer updateServer deployConfig listDeployments getDeployment getServerBundle',
  'createJoinToken listJoinTokens deleteJoinToken createToken listTokens deleteToken listEvents',
  'listAuditEntries getAuditEntry listAuditCheckpoints exportAudit',
  'listRoles createUser listUsers getUser updateUser setUserPassword login whoami getOidc stepUp',
  'startTotp confirmTotp deleteUserTotp setOwnPassword logout deleteUser',
  'createAssignment listAssignments getAssignment updateAssignment listAssignedServers deleteAssignment',
  'showRetention runRetention',
  'listRuleSets refreshRuleSets deleteServer deleteEnvironment deleteConfig deleteTemplate deleteSubscription',
].flatMap((line) => line.split(' '));

/** What only a person can do: the token of the first start is nobody's. */
const personal: ReadonlySet<string> = new Set(['stepUp', 'startTotp', 'confirmTotp', 'setOwnPassword', 'logout']);

const bearer = ({ manager }: TestManager, token: string) =>
  createTransport(manager.url, () => ({ authorization: `Bearer ${token}` }));

async function tokenOfPerson({ client }: TestManager): Promise<string> {
  const { token } = await client.session.open({ body: { ...operatorContract.session.open.example.body, as: 'token' } });
  return token ?? '';
}

/** Sends the example of every operation, in that order, and tells what came back. */
export async function sendDay(
  manager: TestManager,
  answered: (route: Route, answer: TransportAnswer) => Promise<void>,
): Promise<void> {
  const routes = new Map(routesOf(operatorContract).map((route) => [route.id, route]));
  const names: Record<string, string> = {};
  for (const id of day) {
    const send = bearer(manager, personal.has(id) ? await tokenOfPerson(manager) : manager.adminToken);
    await before[id]?.(manager);
    const known = routes.get(id) as Route;
    const route = id === 'addEngine' ? { ...known, example: { ...known.example, body: engineProgram().bytes } } : known;
    const answer = await sendExample(send, route, names);
    await answered(route, answer);
    const name = created[id];
    if (name === undefined) continue;
    const made = JSON.parse(Buffer.from(answer.body).toString('utf8')) as Made;
    if (made.link) names[`${name}-token`] = made.link.slice(made.link.lastIndexOf('/') + 1);
    names[name] = made.digest ?? made.id ?? currentCode(made.secret ?? '');
  }
}

/** Drafts are not made by an example of their own: these are published and deleted. */
const draft =
  (tag: string, listen_port: number) =>
  async ({ client }: TestManager): Promise<void> => {
    const params = { id: 'example' };
    const headers = { 'if-match': '*' };
    await client.configs.update({ params, headers, body: { settings: { inbounds: [{ listen_port }] } } });
    const { version } = await client.configs.generate({ params, body: { draft: true } });
    const named = { ...params, version: String(version.version) };
    await client.configs.mark({ params: named, headers, body: { tags: [tag] } });
  };
const before: Readonly<Record<string, (manager: TestManager) => Promise<void>>> = {
  publishConfigVersion: draft('candidate', 2091),
  deleteConfigVersion: draft('experiment', 2092),
};

interface Made {
  readonly id?: string;
  readonly digest?: string;
  readonly secret?: string;
  readonly link?: string | null;
}

/** What an authenticator would show. */
const currentCode = (secret: string): string => codeOfStep(decodeBase32(secret), Math.floor(Date.now() / 30_000));

/** What later examples name, by the operations that make it. */
const created: Readonly<Record<string, string>> = {
  deployConfig: 'deployment',
  addEngine: 'engine',
  createJoinToken: 'join-token',
  createSettingOverride: 'override',
  createToken: 'token',
  rotateClient: 'client',
  startTotp: 'code',
};
