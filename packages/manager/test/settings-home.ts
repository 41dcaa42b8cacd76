import { openManager, type TestManager } from './open-manager.ts';

export const any = { 'if-match': '*' };
const source = { type: 'inline' as const, text: 'trojan://example-password@192.0.2.1:443#One' };

export async function openHome(...given: Parameters<typeof openManager>): Promise<TestManager> {
  const manager = await openManager(...given);
  await manager.client.subscriptions.add({ body: { name: 'demo', source } });
  await manager.client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  return manager;
}

export const set = async ({ client }: TestManager, scope: string, values: Record<string, unknown>, message = '') =>
  await client.settings.update({ params: { scope }, headers: any, body: { values, message } });

export const exported = async ({ client }: TestManager, id: string, server?: string) => {
  const { bytes } = await client.configs.export({ params: { id }, query: server === undefined ? {} : { server } });
  return JSON.parse(Buffer.from(bytes ?? []).toString()) as { log: { level: string }; inbounds: object[] };
};

export const newest = async ({ client }: TestManager, id: string) =>
  await client.configs.version({
    params: { id, version: String((await client.configs.get({ params: { id } })).version) },
  });
