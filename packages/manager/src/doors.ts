import { startListener, type Listener } from '@sbox/daemon/serve';
import type { Stream } from './features/agents/stream.ts';
import { createManagerApp, type AppsDeps } from './http-apps.ts';
import { usesTls, type ManagerSettings } from './settings.ts';

export interface Door {
  readonly url: string;
  readonly serves: readonly string[];
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
}

/** Opens every listener of the settings; the stack closes them. @throws ProblemError `port.in-use` */
export async function openDoors(
  settings: ManagerSettings,
  tls: { readonly key: string; readonly cert: string },
  apps: AppsDeps & { readonly stream: Stream },
  stack: AsyncDisposableStack,
): Promise<readonly Door[]> {
  const doors: Door[] = [];
  for (const listener of settings.listen) {
    const { address, serves } = listener;
    const opened: Listener = await startListener({
      address,
      fetch: createManagerApp(apps, serves).fetch,
      ...(usesTls(listener, settings) ? { tls } : {}),
      ...(serves.includes('agents') ? { upgrade: apps.stream.upgrade } : {}),
    });
    stack.use(opened);
    doors.push({ url: opened.url, serves, port: opened.port });
  }
  return doors;
}
